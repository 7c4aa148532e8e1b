"""A group of Xero opts a customer out at Twilio, once, and never in; the person's own later word wins."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from duebell.ledger import wishes
from duebell.ledger.engine import reading
from duebell.ledger.writing import writing
from duebell.policy_file.policy import Policy
from duebell.preferences import wishes_in_xero
from duebell.preferences.mirroring import Consent, Source, Wish
from tests.support_facts import CONTACT, MOBILE, NOW, OTHER_MOBILE, TENANT, keep_contact, open_tenant

HOUR = timedelta(hours=1)
POLICY = Policy.model_validate(
    {"preferences": {"no_messages_groups": ["No texts"], "mirror_to_twilio": True}}
)


@pytest.fixture
def books(ledger: Engine) -> Engine:
    open_tenant(ledger)
    return ledger


def reads(
    ledger: Engine, hours: int, groups: Sequence[str], policy: Policy = POLICY, mobile: str = MOBILE
) -> Wish | None:
    """The contact is read as Xero has it after so many hours; returns what is known then of its number."""
    at = NOW + hours * HOUR
    members = [{"Name": group} for group in groups]
    stamp = f"/Date({int(at.timestamp() * 1000)}+0000)/"
    keep_contact(ledger, mobile=mobile, ContactGroups=members, UpdatedDateUTC=stamp, read_at=at)
    with writing(ledger, at) as book:
        wishes_in_xero.note(book, TENANT, [CONTACT], policy)
    with reading(ledger) as session:
        return wishes.known(session, [mobile]).get(mobile)


def says(ledger: Engine, hours: int, status: Consent) -> None:
    with writing(ledger, NOW + hours * HOUR) as book:
        wishes.said(book, MOBILE, Wish(status, Source.WORD, book.now))


def test_who_is_in_a_group_is_opted_out_at_the_senders_of_that_organisation(books: Engine) -> None:
    assert reads(books, 0, []) is None
    wish = reads(books, 1, ["no texts"])
    assert wish is not None
    assert (wish.status, wish.source, wish.tenants) == (Consent.OPT_OUT, Source.XERO, {TENANT})


def test_who_leaves_the_group_is_not_opted_in_by_that(books: Engine) -> None:
    reads(books, 1, ["No texts"])
    wish = reads(books, 2, [])
    assert wish is not None
    assert (wish.status, wish.version) == (Consent.OPT_OUT, 1)


def test_a_start_outlasts_the_older_group_and_every_other_edit_but_not_a_newer_group(books: Engine) -> None:
    reads(books, 1, ["No texts"])
    says(books, 2, Consent.OPT_IN)
    for hours, groups, status in (
        (3, ["No texts"], Consent.OPT_IN),
        (4, [], Consent.OPT_IN),
        (5, ["No texts"], Consent.OPT_OUT),
    ):
        wish = reads(books, hours, groups)
        assert wish is not None
        assert wish.status is status


@pytest.mark.parametrize("meanwhile", [OTHER_MOBILE, "", "021 123 45"])
def test_a_number_that_is_changed_and_changed_back_is_no_newer_group(books: Engine, meanwhile: str) -> None:
    reads(books, 1, ["No texts"])
    says(books, 2, Consent.OPT_IN)
    reads(books, 3, ["No texts"], mobile=meanwhile)
    wish = reads(books, 4, ["No texts"])
    assert wish is not None
    assert wish.status is Consent.OPT_IN


def test_a_group_is_for_the_number_that_the_contact_has_now(books: Engine) -> None:
    reads(books, 1, ["No texts"])
    wish = reads(books, 2, ["No texts"], mobile=OTHER_MOBILE)
    assert wish is not None
    assert wish.status is Consent.OPT_OUT


def test_where_the_policy_mirrors_nothing_nothing_is_noted(books: Engine) -> None:
    off = Policy.model_validate({"preferences": {"no_messages_groups": ["No texts"]}})
    assert reads(books, 1, ["No texts"], off) is None
