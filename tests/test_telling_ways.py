"""What goes out by which way: an email through its provider, and a message that tells several things."""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import col, select, update

from duebell.books.reading import Reading
from duebell.errors import ConfigurationError
from duebell.keys import INVOICE_ISSUED, PAYMENT_RECEIVED
from duebell.ledger import inbox, legs
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.invariants import broken
from duebell.ledger.notifications import Claim, claim_all
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.writing import writing
from duebell.planning import draining
from duebell.planning.planning import plan_kind
from duebell.resources import Resources
from duebell.sending.giving_back import Said
from duebell.sending.telling import render, rules_of, tell
from duebell.states import NotificationState
from tests.support_facts import (
    INVOICE,
    NOW,
    TENANT,
    Hand,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    resources_over,
    sid,
)

S = NotificationState
EMAIL = "rimu@example.com"
DAY = date(2026, 11, 20)
OPERATION = "comms_operation_01h9krwprkeee8fzqspvwy6nq8"
POLICY = """
[invoice_issued]
channels = ["email", "sms"]
opens = "00:00"
closes = "00:00"
[payment_received]
opens = "00:00"
closes = "00:00"
"""


class Provider:
    """Takes what it is asked to send, and remembers it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.url.path, request.content.decode()))
        if request.url.path == "/v1/Emails":
            return httpx.Response(202, json={"operationId": OPERATION, "operationLocation": "x"})
        body = {"sid": sid(len(self.asked)), "status": "queued", "num_segments": "1", "account_sid": ACCOUNT}
        return httpx.Response(201, json=body)


ACCOUNT = "AC" + "0" * 32


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def office(sqlite_ledger: Engine, provider: Provider, tmp_path: Path) -> Resources:
    """A tenant with a customer who has an email address and a mobile."""
    open_tenant(sqlite_ledger)
    keep_contact(sqlite_ledger, EmailAddress=EMAIL)
    (tmp_path / "policy.toml").write_text(POLICY)
    return resources_over(
        sqlite_ledger,
        Hand(),
        twilio=provider,
        DUEBELL_POLICY=str(tmp_path / "policy.toml"),
        EMAIL_FROM="Kauri <accounts@kauri.example>",
    )


def claimed(office: Resources, kind: str, *invoice_ids: str) -> list[Claim]:
    with writing(office.engine, NOW) as book:
        ids = list(invoice_ids or [INVOICE])
        rows = plan_kind(book, TENANT, kind, ids, rules_of(office), actor="test", flow_run_id="run 1")
        return claim_all(book, rows, "run 1")


def fresh(_tenant: str, _invoices: Sequence[str], _since: datetime) -> None:
    raise AssertionError("the invoices were read a moment ago")


def said(office: Resources, claim: Claim) -> Said:
    assert render(office, claim) is None
    return tell(office, claim, fresh, flow_run_id="run 1")


def states(office: Resources) -> list[str]:
    with reading(office.engine) as session:
        rows = session.exec(select(Notification).order_by("notification_id")).all()
    return [row.state for row in rows]


def pays(office: Resources, *numbers: int) -> None:
    """A payment of 20.00 comes for each of these invoices, and a drain has seen it."""
    for number in numbers:
        body = invoice_body(
            numbered(number), updated_at=NOW, AmountPaid=20, AmountDue=95, Payments=[_payment(number)]
        )
        keep_invoice(office.engine, body, read_at=NOW)
        new = NewEvent(TENANT, "INVOICE", numbered(number), "UPDATE", "now", NOW)
        inbox.keep(office.engine, [new], [], now=NOW)
    taken = inbox.claim(office.engine, TENANT, now=NOW, most=50)
    with writing(office.engine, NOW) as book:
        draining.record_changes(book, TENANT, taken, Reading(0, 1), rules_of(office), flow_run_id=None)


def unpaid_since(office: Resources, number: int) -> None:
    """The payment of an invoice is removed right after the message was claimed."""
    at = NOW + timedelta(seconds=1)
    body = invoice_body(numbered(number), updated_at=at, AmountPaid=0, Payments=[])
    keep_invoice(office.engine, body, read_at=at)


def _payment(number: int) -> dict[str, Any]:
    day = (DAY - date(1970, 1, 1)).days * 86_400_000
    return {"PaymentID": numbered(900 + number), "Amount": 20, "Date": f"/Date({day}+0000)/"}


def test_an_email_goes_out_through_its_provider_with_its_subject_and_the_attempt_as_its_tag(
    office: Resources, provider: Provider
) -> None:
    keep_invoice(office.engine)
    [claim] = claimed(office, INVOICE_ISSUED)
    assert said(office, claim).state == S.ACCEPTED
    [(path, raw)] = provider.asked
    with reading(office.engine) as session:
        attempt = session.exec(select(Attempt)).one()
    assert path == "/v1/Emails"
    assert attempt.attempt_id in raw
    assert EMAIL in raw
    assert "INV-21845" in json.dumps(json.loads(raw))
    assert attempt.sid == OPERATION
    assert broken(office.engine) == []


def test_a_subject_that_no_provider_would_take_holds_the_message_before_anything_is_posted(
    office: Resources, provider: Provider, tmp_path: Path
) -> None:
    keep_invoice(office.engine)
    folder = tmp_path / "templates" / "invoice_issued" / "en"
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text("a\u202eb")
    (folder / "body.txt").write_text("x")
    office = resources_over(
        office.engine,
        Hand(),
        twilio=provider,
        DUEBELL_POLICY=str(tmp_path / "policy.toml"),
        DUEBELL_TEMPLATES=str(tmp_path / "templates"),
        EMAIL_FROM="accounts@kauri.example",
    )
    [claim] = claimed(office, INVOICE_ISSUED)
    held = render(office, claim)
    assert held is not None
    assert (held.state, "subject.txt" in held.reason) == (S.HELD, True)
    assert provider.asked == []
    assert broken(office.engine) == []


def test_what_no_provider_would_be_asked_to_send_is_held_with_a_reason_of_its_own(
    office: Resources, provider: Provider
) -> None:
    keep_invoice(office.engine)
    [claim] = claimed(office, INVOICE_ISSUED)
    assert render(office, claim) is None
    with office.engine.begin() as connection:
        connection.execute(update(Leg).where(col(Leg.channel) == "email").values(email_subject="a\nb"))
    held = tell(office, claim, fresh, flow_run_id="run 1")
    assert held.state == S.HELD
    assert held.reason.startswith("unfit_to_post:the subject of an email is one line")
    assert provider.asked == []
    assert broken(office.engine) == []


def test_one_message_tells_what_was_paid_on_several_invoices(office: Resources, provider: Provider) -> None:
    pays(office, 1, 2, 3)
    [claim] = claimed(office, PAYMENT_RECEIVED, *(numbered(n) for n in (1, 2, 3)))
    assert said(office, claim).state == S.ACCEPTED
    [(_, raw)] = provider.asked
    assert "60.00" in raw
    assert all(number in raw for number in ("INV-0001", "INV-0002", "INV-0003"))
    assert states(office)[-3:] == [S.ACCEPTED] * 3
    assert broken(office.engine) == []


def test_a_payment_removed_at_the_last_moment_is_left_out_of_the_message(
    office: Resources, provider: Provider
) -> None:
    pays(office, 1, 2, 3)
    [claim] = claimed(office, PAYMENT_RECEIVED, *(numbered(n) for n in (1, 2, 3)))
    unpaid_since(office, 2)
    assert said(office, claim).state == S.ACCEPTED
    [(_, raw)] = provider.asked
    assert "40.00" in raw
    assert "INV-0002" not in raw
    assert states(office)[-3:] == [S.ACCEPTED, S.SKIPPED, S.ACCEPTED]
    assert broken(office.engine) == []


def test_where_the_one_that_leads_is_no_longer_true_the_others_are_told_by_the_next_run(
    office: Resources, provider: Provider
) -> None:
    pays(office, 1, 2, 3)
    [claim] = claimed(office, PAYMENT_RECEIVED, *(numbered(n) for n in (1, 2, 3)))
    unpaid_since(office, 1)
    assert said(office, claim).state == S.SKIPPED
    assert provider.asked == []
    assert states(office)[-3:] == [S.SKIPPED, S.PLANNED, S.PLANNED]
    [again] = claimed(office, PAYMENT_RECEIVED, numbered(2), numbered(3))
    assert said(office, again).state == S.ACCEPTED
    assert "40.00" in provider.asked[0][1]
    assert broken(office.engine) == []


def test_the_leg_that_is_told_by_is_the_one_that_the_last_look_chose(office: Resources) -> None:
    keep_invoice(office.engine)
    [claim] = claimed(office, INVOICE_ISSUED)
    keep_contact(office.engine, EmailAddress="", read_at=NOW + timedelta(seconds=1))
    assert said(office, claim).state == S.ACCEPTED
    with reading(office.engine) as session:
        leg = legs.current(session, session.get_one(Notification, claim.notification_id))
    assert leg.channel == "sms"


def without_the_key_of_sendgrid(office: Resources, provider: Provider) -> Resources:
    """The same office once SendGrid was chosen and its key forgotten."""
    return resources_over(
        office.engine,
        Hand(),
        twilio=provider,
        DUEBELL_POLICY=str(office.settings.policy),
        EMAIL_FROM="accounts@kauri.example",
        EMAIL_PROVIDER="sendgrid",
    )


def test_an_sms_goes_out_though_email_lacks_its_key(office: Resources, provider: Provider) -> None:
    keep_contact(office.engine, EmailAddress="", read_at=NOW + timedelta(seconds=1))
    keep_invoice(office.engine)
    office = without_the_key_of_sendgrid(office, provider)
    [claim] = claimed(office, INVOICE_ISSUED)
    assert said(office, claim).state == S.ACCEPTED
    assert [path for path, _ in provider.asked] == [f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"]


def test_an_email_that_lacks_its_key_stops_before_its_attempt_stands(
    office: Resources, provider: Provider
) -> None:
    keep_invoice(office.engine)
    office = without_the_key_of_sendgrid(office, provider)
    [claim] = claimed(office, INVOICE_ISSUED)
    assert render(office, claim) is None
    with pytest.raises(ConfigurationError, match="SENDGRID_API_KEY"):
        tell(office, claim, fresh, flow_run_id="run 1")
    with reading(office.engine) as session:
        assert session.exec(select(Attempt)).all() == []
    assert states(office) == [S.CLAIMED]
    assert provider.asked == []
