"""The histories that tests are tried on are possible, repeatable, and leave the books as they say."""

import json
from collections import Counter
from dataclasses import asdict
from decimal import Decimal

import pytest

from deployments.sandbox.control import SandboxControl
from tests.support_accountant import WEIGHTS, Known, Step
from tests.support_histories import apply_all, history

SEEDS = range(25)


def test_the_same_seed_draws_the_same_steps_and_another_draws_others() -> None:
    assert history(7) == history(7)
    assert history(7)[0] != history(8)[0]
    assert history(7, 10)[0] == history(7, 20)[0][:13]


def test_a_step_is_plain_data() -> None:
    for step in history(3, 60)[0]:
        told = json.loads(json.dumps(asdict(step)))
        assert Step(**told | {"invoices": tuple(told["invoices"])}) == step


def test_the_seeds_together_draw_every_act() -> None:
    acts = Counter(step.act for seed in SEEDS for step in history(seed, 40)[0])
    assert set(WEIGHTS) - set(acts) == set()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_step_can_be_taken_and_leaves_the_books_as_the_history_says(
    sandbox: SandboxControl, seed: int
) -> None:
    steps, known = history(seed, 30, prefix=f"H{seed}")
    apply_all(steps, sandbox)
    assert_books_are(known, sandbox)


def test_two_histories_share_books_without_touching_each_other(sandbox: SandboxControl) -> None:
    for seed, prefix in ((1, "A"), (2, "B")):
        apply_all(history(seed, prefix=prefix)[0], sandbox)
    for seed, prefix in ((1, "A"), (2, "B")):
        assert_books_are(history(seed, prefix=prefix)[1], sandbox)


def assert_books_are(known: Known, sandbox: SandboxControl) -> None:
    found = {one.number: one for one in sandbox.invoices()}
    numbers = {one.contact_id: one.number for one in sandbox.contacts()}
    standing = {one.payment_id for one in sandbox.payments() if one.status == "AUTHORISED"}
    for number, expected in known.invoices.items():
        invoice = found[number]
        assert (invoice.status, invoice.total) == (expected.status, expected.total), number
        assert numbers[invoice.contact_id] == expected.contact, number
        assert {one.reference: one.amount for one in invoice.payments} == expected.paid, number
        assert {one.payment_id for one in invoice.payments} <= standing, number
        assert invoice.amount_credited == sum(expected.credited.values(), Decimal(0)), number
        assert invoice.amount_due == (Decimal(0) if expected.status == "VOIDED" else expected.due), number
    for contact in sandbox.contacts():
        if contact.number in known.contacts:
            status = known.contacts[contact.number]
            assert (contact.status, bool(contact.merged_into)) == (
                ("ARCHIVED", True) if status == "MERGED" else (status, False)
            )
    remaining = {one.reference: one.remaining for one in sandbox.credits()}
    assert {label: remaining[label] for label in known.credits} == {
        label: credit.remaining for label, credit in known.credits.items()
    }
