"""Every verdict can be made again from what was kept of it, whatever has changed since."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete
from sqlmodel import select

from duebell.deciding.deciding import Basis, Rules
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, PAYMENT_RECEIVED
from duebell.ledger import preferences
from duebell.ledger.engine import reading
from duebell.ledger.pruning import KEPT_FOR, prune
from duebell.ledger.tables import (
    EarlierVersion,
    InvoiceSnapshot,
    KeptVerdict,
    Notification,
    PolicyText,
    Tenant,
)
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.policy.verdict import Reason, Send
from duebell.sending.telling import rules_of
from duebell.showing.recalling import Recalled, recall
from tests.support_facts import (
    MOBILE,
    NOW,
    OTHER_MOBILE,
    TENANT,
    counted,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
)
from tests.support_ledger import copied
from tests.support_overdue import Office, a_payment, at, due, office_over, policy_text

DUE = date(2026, 11, 2)
POLICIES = (
    policy_text(),
    policy_text(overdue="gap_days = 0\nlate_days = 20"),
    policy_text(rest='[[rule]]\nwhen = { currency = "NZD", amount_from = 100 }\nthen = { silence = true }'),
    policy_text(rest="[limits]\nbreaker_from = 1\nbreaker = 1\nmessages_an_hour = 1"),
    "[invoice_issued]\nenabled = false\n",
)


def recalled(engine: Engine) -> list[Recalled]:
    """Every verdict that was kept, made again."""
    with reading(engine) as session:
        tenant = session.get_one(Tenant, TENANT)
        kept = session.exec(select(KeptVerdict).order_by("verdict_id")).all()
        invoice_ids = {
            row.notification_id: row.invoice_id for row in session.exec(select(Notification)).all()
        }
        return [recall(session, one, tenant, invoice_ids[one.notification_id]) for one in kept]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens; what it is about is drawn along, and used by the steps that need it."""

    what: str
    number: int
    days: int
    amount: int
    status: str
    contact: str
    mobile: str
    promised: bool
    paid: bool
    text: str
    sending: str

    def take(self, office: Office) -> None:
        """Have it happen."""
        match self.what:
            case "invoice":
                self._read_invoice(office)
            case "contact":
                self._read_contact(office)
            case "refusal":
                _refuse(office)
            case "policy":
                _writes(office, self.text)
            case "sending":
                _turn(office, self.sending)
            case "event" if numbered(self.number) in office.books:
                office.hears(self.number)
            case "tell":
                kind = {1: INVOICE_ISSUED, 2: PAYMENT_RECEIVED}.get(self.number, INVOICE_OVERDUE)
                office.tells(list(office.books), kind)
            case _:
                office.later(hours=max(1, self.days * 5))
                office.day()

    def _read_invoice(self, office: Office) -> None:
        fields = due(DUE + timedelta(days=self.days), AmountDue=self.amount, Status=self.status)
        if self.promised:
            fields["ExpectedPaymentDate"] = f"{DUE + timedelta(days=self.days + 4)}T00:00:00"
        paid = [a_payment(self.number, 5, DUE)] if self.paid else []
        office.keeps(self.number, **fields, Payments=paid, AmountPaid=5 * len(paid))

    def _read_contact(self, office: Office) -> None:
        groups = [{"Name": "No reminders"}] if self.paid else []
        now = office.clock.now
        keep_contact(
            office.engine, mobile=self.mobile, read_at=now, ContactStatus=self.contact, ContactGroups=groups
        )


WHAT = ["invoice", "invoice", "contact", "refusal", "policy", "sending", "event", "tell", "sweep", "sweep"]
steps = st.builds(
    Step,
    what=st.sampled_from(WHAT),
    number=st.integers(1, 3),
    days=st.integers(-3, 20),
    amount=st.sampled_from([0, 9, 115]),
    status=st.sampled_from(["AUTHORISED", "AUTHORISED", "PAID", "VOIDED", "DRAFT"]),
    contact=st.sampled_from(["ACTIVE", "ACTIVE", "ARCHIVED"]),
    mobile=st.sampled_from([MOBILE, OTHER_MOBILE, ""]),
    promised=st.booleans(),
    paid=st.booleans(),
    text=st.sampled_from(POLICIES),
    sending=st.sampled_from(["live", "review"]),
)


def _refuse(office: Office) -> None:
    with writing(office.engine, office.clock.now) as book:
        preferences.refuse_address(book, OTHER_MOBILE, "sms", "opted_out", "a test")


def _writes(office: Office, text: str) -> None:
    office.resources.settings.policy.write_text(text)


def _turn(office: Office, state: str) -> None:
    with writing(office.engine, office.clock.now) as book:
        book.session.get_one(Tenant, TENANT).sending = state


@settings(max_examples=10)
@given(story=st.lists(steps, min_size=3, max_size=9))
def test_a_verdict_is_made_again_whatever_came_after_it(migrated: Path, story: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = copied(migrated, Path(folder))
        open_tenant(engine)
        office = office_over(engine, Path(folder), at(DUE + timedelta(days=1)))
        keep_contact(engine, read_at=office.clock.now)
        office.keeps(1, 2, **due(DUE))
        office.day()
        for step in story:
            step.take(office)
        made = recalled(engine)
        engine.dispose()
    assert made
    assert [one.lacking for one in made if one.lacking] == []
    assert [one.again for one in made] == [one.said for one in made]


@pytest.fixture
def office(ledger: Engine, tmp_path: Path) -> Office:
    """A customer with an invoice that is a day overdue."""
    open_tenant(ledger)
    office = office_over(ledger, tmp_path, at(DUE + timedelta(days=1)))
    keep_contact(ledger, read_at=office.clock.now)
    office.keeps(1, **due(DUE))
    return office


def turn_everything(office: Office) -> None:
    """Another policy, another customer's number, a paid invoice, an organisation in review, days later."""
    office.later(days=3)
    _writes(office, POLICIES[-1])
    _turn(office, "review")
    _refuse(office)
    keep_contact(office.engine, mobile="", read_at=office.clock.now, ContactStatus="ARCHIVED")
    office.keeps(1, 2, **due(DUE), Status="PAID", AmountDue=0)


def _too_soon(office: Office) -> None:
    office.day()
    office.keeps(2, **due(DUE))
    office.day()


def _just_issued(office: Office) -> None:
    office.keeps(1, **due(DUE, DateString=f"{DUE}T00:00:00"))
    office.tells([numbered(1)], INVOICE_ISSUED)
    office.sweeps()


def _too_many(office: Office) -> None:
    _writes(office, POLICIES[3])
    keep_contact(office.engine, numbered(50), OTHER_MOBILE, read_at=office.clock.now)
    office.keeps(2, **due(DUE, Contact={"ContactID": numbered(50)}))
    office.sweeps()


def _full_hour(office: Office) -> None:
    _writes(office, policy_text(rest="[limits]\nmessages_an_hour = 1"))
    keep_contact(office.engine, numbered(50), OTHER_MOBILE, read_at=office.clock.now)
    office.keeps(2, **due(DUE, Contact={"ContactID": numbered(50)}))
    office.day()


def _refused(office: Office) -> None:
    _refuse(office)
    keep_contact(office.engine, mobile=OTHER_MOBILE, read_at=office.clock.now)
    office.sweeps()


def _silenced(office: Office) -> None:
    _writes(office, POLICIES[2])
    office.sweeps()


def _promised(office: Office) -> None:
    office.keeps(1, **due(DUE), ExpectedPaymentDate="2026-11-06T00:00:00")
    office.sweeps()


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        (_too_soon, Reason.TOO_SOON),
        (_just_issued, Reason.JUST_ISSUED),
        (_too_many, Reason.UNUSUAL_VOLUME),
        (_full_hour, Reason.HOUR_FULL),
        (_refused, Reason.OPTED_OUT),
        (_silenced, Reason.SILENCED_BY_RULE),
        (_promised, Reason.PROMISED),
    ],
)
def test_each_thing_that_a_verdict_rests_on_is_kept(
    office: Office, story: Callable[[Office], None], reason: Reason
) -> None:
    story(office)
    turn_everything(office)
    made = recalled(office.engine)
    assert reason in {getattr(one.said, "reason", None) for one in made}
    assert [one.again for one in made] == [one.said for one in made]


def test_an_unchanged_verdict_is_kept_once_and_what_was_said_is_kept_as_said(office: Office) -> None:
    for _ in range(3):
        office.sweeps()
        office.later(minutes=1)
    with writing(office.engine, office.clock.now) as book:
        rules = rules_of(office.resources)
        plan_kind(book, TENANT, INVOICE_OVERDUE, [numbered(1)], rules, actor="test", flow_run_id=None)
    assert counted(office.engine, KeptVerdict) == 1
    office.tells([numbered(1)])
    office.sweeps()
    said = [one.said for one in recalled(office.engine)]
    assert said == [Send(MOBILE), Send(MOBILE)], "when it was planned, and right before it was sent"
    assert counted(office.engine, PolicyText) == 1


def test_a_record_has_a_version_for_each_thing_it_told_and_none_for_the_same_read_again(
    ledger: Engine,
) -> None:
    open_tenant(ledger)
    told: list[dict[str, Any]] = [{}, {}, {"AmountDue": 15}, {"AmountDue": 15, "Url": "x"}, {}]
    for minutes, changed in enumerate(told):
        keep_invoice(ledger, invoice_body(**changed), read_at=NOW + timedelta(minutes=minutes))
        keep_contact(ledger, read_at=NOW + timedelta(minutes=minutes), Name=changed.get("Url", "Rimu"))
    with reading(ledger) as session:
        [row] = session.exec(select(InvoiceSnapshot)).all()
        earlier = session.exec(select(EarlierVersion).order_by("category", "version")).all()
    assert (row.version, row.first_read_at) == (3, NOW + timedelta(minutes=4))
    assert [(one.category, one.version, one.first_read_at, one.replaced_at) for one in earlier] == [
        ("CONTACT", 1, NOW, NOW + timedelta(minutes=3)),
        ("CONTACT", 2, NOW + timedelta(minutes=3), NOW + timedelta(minutes=4)),
        ("INVOICE", 1, NOW, NOW + timedelta(minutes=2)),
        ("INVOICE", 2, NOW + timedelta(minutes=2), NOW + timedelta(minutes=4)),
    ]


def test_bills_have_no_history(sqlite_ledger: Engine) -> None:
    open_tenant(sqlite_ledger)
    for minutes, amount in enumerate([1, 2, 3]):
        body = invoice_body(Type="ACCPAY", AmountDue=amount)
        keep_invoice(sqlite_ledger, body, read_at=NOW + timedelta(minutes=minutes))
    assert counted(sqlite_ledger, EarlierVersion) == 0


def test_history_is_let_go_of_after_thirteen_months(office: Office) -> None:
    office.sweeps()
    _refused(office)
    assert (counted(office.engine, KeptVerdict), counted(office.engine, EarlierVersion)) == (3, 1)
    assert prune(office.engine, office.clock.now + KEPT_FOR) == 0
    assert prune(office.engine, office.clock.now + KEPT_FOR + timedelta(seconds=1)) == 4
    assert (counted(office.engine, KeptVerdict), counted(office.engine, EarlierVersion)) == (0, 0)
    assert counted(office.engine, PolicyText) == 1


def test_what_is_kept_no_longer_is_said_to_be_lacking(office: Office) -> None:
    office.sweeps()
    keep_contact(office.engine, mobile=OTHER_MOBILE, read_at=office.clock.now)
    with writing(office.engine, office.clock.now) as book:
        book.session.exec(delete(EarlierVersion))
    [one] = recalled(office.engine)
    assert (one.said, one.again) == (Send(MOBILE), None)
    assert one.lacking == "the invoice or the contact as it was then is kept no longer"


def test_what_the_rules_and_a_verdict_rest_on_is_all_kept() -> None:
    """One that is added has to be written down among the facts, and put back when they are recalled."""
    assert {one.name for one in fields(Rules)} == {"policy", "ceiling", "channels", "text", "schedules"}
    kept_elsewhere = {"subject", "known", "rules", "now"}
    assert {one.name for one in fields(Basis)} - kept_elsewhere == {"seen_at", "forced", "failed", "own"}
