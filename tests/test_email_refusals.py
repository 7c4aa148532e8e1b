"""Who is not to be emailed any more is not, however the address is typed here, there or in Xero."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import select

from duebell.deciding.deciding import Rules
from duebell.email.addresses import folded
from duebell.errors import ConfigurationError
from duebell.keys import INVOICE_ISSUED, address_hash
from duebell.ledger import preferences
from duebell.ledger.attempts import Intent
from duebell.ledger.engine import reading
from duebell.ledger.notifications import claim_all
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Notification
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.preferences import preferring
from duebell.states import NotificationState, Sending
from tests.support_facts import (
    CONTACT,
    INVOICE,
    MOBILE,
    NOW,
    OTHER_CONTACT,
    TENANT,
    accepted,
    begin,
    conclude,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    policy,
    receipt,
    resources_over,
)

BY_EMAIL = Rules(policy(channels=["email"]), Sending.LIVE)
LOW, HIGH = "ana@rimu.example", "Ana@Rimu.Example"
WHO: dict[str, Any] = {"by": "person:office", "why": "asked by telephone"}


@pytest.fixture
def books(ledger: Engine) -> Engine:
    open_tenant(ledger)
    keep_invoice(ledger)
    return ledger


def planned(engine: Engine, invoice: str = INVOICE) -> Notification:
    with writing(engine, NOW) as book:
        [row] = plan_kind(book, TENANT, INVOICE_ISSUED, [invoice], BY_EMAIL, actor="test", flow_run_id=None)
        return row


def stands(engine: Engine, invoice: str = INVOICE) -> tuple[str, str]:
    with reading(engine) as session:
        row = session.exec(select(Notification).where(Notification.invoice_id == invoice)).one()
        return row.state, row.reason


def posted(engine: Engine) -> Intent | None:
    with writing(engine, NOW) as book:
        [row] = plan_kind(book, TENANT, INVOICE_ISSUED, [INVOICE], BY_EMAIL, actor="test", flow_run_id=None)
        [claimed] = claim_all(book, [row], "run 1")
    return begin(engine, claimed)


TYPED = [LOW, HIGH, f"Ana Rimu <{LOW}>", f' "Rimu, Ana" <{HIGH}> ']


@pytest.mark.parametrize("typed", TYPED)
@pytest.mark.parametrize("in_xero", [LOW, HIGH])
def test_who_asked_to_be_left_alone_is_however_the_address_is_typed(
    books: Engine, typed: str, in_xero: str
) -> None:
    keep_contact(books, EmailAddress=in_xero)
    preferring.stop(resources_over(books), typed, "email", **WHO)
    row = planned(books)
    assert (row.state, row.reason) == ("skipped", "opted_out")
    [known] = preferring.show(resources_over(books), in_xero, "email").known
    assert known.state == "opted_out"


@pytest.mark.parametrize("typed", TYPED)
def test_who_may_be_written_to_again_is_told_however_the_address_is_typed(books: Engine, typed: str) -> None:
    keep_contact(books, EmailAddress=HIGH)
    preferring.stop(resources_over(books), LOW, "email", **WHO)
    preferring.allow(resources_over(books), typed, "email", **WHO)
    assert planned(books).state == NotificationState.PLANNED


@pytest.mark.parametrize("typed", TYPED)
def test_what_waits_for_an_address_is_decided_anew_however_it_is_typed(
    books: Engine, typed: str, tmp_path: Path
) -> None:
    keep_contact(books, EmailAddress=HIGH)
    assert planned(books).state == NotificationState.PLANNED
    file = tmp_path / "policy.toml"
    file.write_text('[invoice_issued]\nchannels = ["email"]\n')
    office = resources_over(books, DUEBELL_POLICY=str(file), EMAIL_FROM="accounts@kauri.example")
    assert preferring.stop(office, typed, "email", **WHO).decided == 1
    assert stands(books) == ("skipped", "opted_out")


def test_a_message_that_was_claimed_does_not_pass_the_last_gate(books: Engine) -> None:
    keep_contact(books, EmailAddress=HIGH)
    with writing(books, NOW) as book:
        [row] = plan_kind(book, TENANT, INVOICE_ISSUED, [INVOICE], BY_EMAIL, actor="test", flow_run_id=None)
        [claimed] = claim_all(book, [row], "run 1")
        preferences.refuse_address(book, LOW, "email", preferences.OPTED_OUT, "a test")
    assert begin(books, claimed) is None


def test_an_address_that_was_reported_as_spam_is_refused_in_every_spelling(books: Engine) -> None:
    keep_contact(books, EmailAddress=HIGH)
    assert posted(books) is not None
    conclude(books, accepted())
    keep_receipt(books, replace(receipt("spamreport"), provider="sendgrid"), now=NOW)
    keep_contact(books, OTHER_CONTACT, EmailAddress=LOW)
    keep_invoice(books, invoice_body(numbered(2), Contact={"ContactID": OTHER_CONTACT}))
    keep_contact(books, CONTACT, read_at=NOW + timedelta(minutes=1), EmailAddress=LOW.upper())
    keep_invoice(books, invoice_body(numbered(3)))
    for invoice in (numbered(2), numbered(3)):
        row = planned(books, invoice)
        assert (row.state, row.reason) == ("skipped", "opted_out")


@pytest.mark.parametrize("typed", ["Ana Rimu", "ana@rimu.example, ben@rimu.example", "<ana@rimu>", MOBILE])
def test_what_is_not_one_address_is_refused(books: Engine, typed: str) -> None:
    with pytest.raises(ConfigurationError, match="no email address"):
        preferring.stop(resources_over(books), typed, "email", **WHO)


@given(st.emails())
def test_an_address_folds_to_what_its_key_is_made_of(address: str) -> None:
    assert folded(folded(address)) == folded(address) == folded(f" {address.upper()} ")
    assert address_hash(address) == address_hash(folded(address))
