"""Whether a person is told: one test a reason, and what must never be, whatever else is true."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from duebell.hours.whereabouts import zones_of
from duebell.model import (
    Contact,
    ContactStatus,
    Invoice,
    InvoicePayment,
    InvoiceStatus,
    InvoiceType,
    Phone,
    PhoneType,
)
from duebell.policy.verdict import (
    IN_WORDS,
    Circumstances,
    Hold,
    Reason,
    Send,
    Skip,
    Verdict,
    on_invoice_issued,
    on_payment_received,
)
from duebell.policy_file.policy import InvoiceIssuedPolicy, Policy, SendingPolicy
from duebell.states import Sending
from tests.support_facts import MOBILE, NOW, a_contact, an_invoice, circumstances, policy


def verdict(
    invoice: Invoice | None = None, contact: Contact | None = None, about: Circumstances | None = None
) -> Verdict:
    return on_invoice_issued(invoice or an_invoice(), contact or a_contact(), about or circumstances())


def test_an_issued_invoice_is_told_of_to_the_mobile_of_its_contact() -> None:
    assert verdict() == Send(MOBILE)


def test_every_reason_has_its_words() -> None:
    assert set(IN_WORDS) == set(Reason)
    assert all(words for reason, words in IN_WORDS.items() if reason is not Reason.NONE)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": InvoiceType.BILL}, Reason.NOT_A_SALE),
        ({"type": InvoiceType.OTHER}, Reason.NOT_A_SALE),
        ({"status": InvoiceStatus.DRAFT}, Reason.NOT_APPROVED),
        ({"status": InvoiceStatus.SUBMITTED}, Reason.NOT_APPROVED),
        ({"status": InvoiceStatus.UNKNOWN}, Reason.NOT_APPROVED),
        ({"status": InvoiceStatus.VOIDED}, Reason.NO_LONGER_VALID),
        ({"status": InvoiceStatus.DELETED}, Reason.NO_LONGER_VALID),
        ({"status": InvoiceStatus.PAID}, Reason.ALREADY_PAID),
        ({"amount_due": Decimal(0)}, Reason.ALREADY_PAID),
        ({"amount_due": Decimal("-0.01")}, Reason.ALREADY_PAID),
        ({"amount_due": None}, Reason.AMOUNT_UNKNOWN),
        ({"issued_on": date(2026, 11, 12)}, Reason.TOO_OLD),
    ],
)
def test_an_invoice_of_which_nobody_is_told(changes: dict[str, Any], reason: Reason) -> None:
    assert verdict(an_invoice(**changes)) == Skip(reason)


def test_a_switched_off_kind_is_not_told() -> None:
    assert verdict(about=circumstances(policy=policy(enabled=False))) == Skip(Reason.KIND_OFF)


def test_what_was_known_before_connecting_is_not_told() -> None:
    assert verdict(about=circumstances(known_before_connecting=True)) == Skip(Reason.KNOWN_BEFORE_CONNECTING)


def test_age_is_counted_from_the_day_it_was_seen_in_the_organisation_s_zone() -> None:
    # 23:30 on 19 November in UTC is the 20th in Auckland.
    seen = datetime(2026, 11, 19, 23, 30, tzinfo=UTC)
    rules = policy(oldest_days=0)
    of_the_19th = an_invoice(issued_on=date(2026, 11, 19))
    here = circumstances(policy=rules, seen_at=seen, now=seen + timedelta(days=9))
    assert verdict(of_the_19th, about=here) == Skip(Reason.TOO_OLD)
    assert verdict(of_the_19th, about=replace(here, timezone="UTC")) == Send(MOBILE)


def test_without_a_contact_nobody_is_told() -> None:
    assert on_invoice_issued(an_invoice(), None, circumstances()) == Skip(Reason.NO_CONTACT)


@pytest.mark.parametrize("status", [ContactStatus.ARCHIVED, ContactStatus.GDPR_REQUEST])
def test_a_closed_contact_is_not_told(status: ContactStatus) -> None:
    assert verdict(contact=a_contact(status=status)) == Skip(Reason.CONTACT_CLOSED)


def test_without_a_mobile_nobody_is_told_and_the_reason_says_why() -> None:
    assert verdict(contact=a_contact(phones=())) == Skip(Reason.NO_PHONE, "no_phone")
    landline = Phone(PhoneType.DEFAULT, "64", "9", "3001234")
    assert verdict(contact=a_contact(phones=(landline,))) == Skip(Reason.NO_PHONE, "not_a_mobile")


@pytest.mark.parametrize(
    ("refusal", "reason"), [("opted_out", Reason.OPTED_OUT), ("invalid", Reason.NUMBER_INVALID)]
)
def test_a_refused_number_is_not_written_to(refusal: str, reason: Reason) -> None:
    assert verdict(about=circumstances(refusals={MOBILE: refusal})) == Skip(reason)


def test_in_review_a_message_waits_for_a_person() -> None:
    assert verdict(about=circumstances(sending=Sending.REVIEW)) == Hold(Reason.IN_REVIEW, MOBILE)


def test_only_the_allowlist_is_told_while_that_is_the_ceiling() -> None:
    about = circumstances(sending=Sending.ALLOWLIST)
    assert verdict(about=about) == Hold(Reason.NOT_ON_ALLOWLIST, MOBILE)
    listed = about.policy.model_copy(update={"sending": SendingPolicy(allowlist=(MOBILE,))})
    assert verdict(about=replace(about, policy=listed)) == Send(MOBILE)


def test_outside_the_hours_a_message_waits_for_the_next_opening() -> None:
    night = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)  # 22:30 in Auckland
    about = circumstances(policy=Policy(), now=night, seen_at=night)
    opening = datetime(2026, 11, 20, 19, 0, tzinfo=UTC)
    assert verdict(about=about) == Hold(Reason.OUTSIDE_WINDOW, MOBILE, opening)


invoices = st.builds(
    an_invoice,
    type=st.sampled_from(InvoiceType),
    status=st.sampled_from(InvoiceStatus),
    amount_due=st.none() | st.decimals(-10, 10, places=2),
    issued_on=st.none() | st.dates(date(2026, 10, 1), date(2026, 12, 31)),
)
contacts = st.none() | st.builds(
    a_contact,
    status=st.sampled_from(ContactStatus),
    phones=st.sampled_from([(), a_contact().phones]),
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - given a zone
hours = st.times().map(lambda clock: f"{clock:%H:%M}")
abouts = st.builds(
    circumstances,
    policy=st.builds(policy, enabled=st.booleans(), opens=hours, closes=hours),
    sending=st.sampled_from(Sending),
    now=moments,
    seen_at=moments,
    known_before_connecting=st.booleans(),
    refusals=st.sampled_from([None, {}, {MOBILE: "opted_out"}, {MOBILE: "invalid"}]),
)


@given(invoices, contacts, abouts)
def test_nobody_is_ever_told_of_what_is_not_owed_or_against_their_will(
    invoice: Invoice, contact: Contact | None, about: Circumstances
) -> None:
    if isinstance(on_invoice_issued(invoice, contact, about), Send):
        assert invoice.type is InvoiceType.SALE
        assert invoice.status is InvoiceStatus.AUTHORISED
        assert invoice.amount_due
        assert invoice.amount_due > 0
        assert contact
        assert contact.status not in {ContactStatus.ARCHIVED, ContactStatus.GDPR_REQUEST}
        assert MOBILE not in (about.refusals or {})
        assert about.sending is Sending.LIVE
        assert about.policy.invoice_issued.enabled
        assert not about.known_before_connecting


@given(moments, hours, hours)
def test_a_message_goes_out_only_while_its_reader_s_window_is_open(
    now: datetime, opens: str, closes: str
) -> None:
    about = circumstances(policy=policy(opens=opens, closes=closes), now=now, seen_at=now)
    rules = about.policy.invoice_issued
    # New Zealand has two zones 45 minutes apart: in a window that leaves them less than an hour, one decides.
    width = timedelta(
        hours=rules.closes.hour - rules.opens.hour, minutes=rules.closes.minute - rules.opens.minute
    )
    assume(width % timedelta(days=1) == timedelta() or width % timedelta(days=1) >= timedelta(minutes=105))
    decided = verdict(an_invoice(issued_on=None), about=about)
    at = about.now if isinstance(decided, Send) else decided.not_before if isinstance(decided, Hold) else None
    assert at is not None
    assert at >= about.now
    if rules.opens != rules.closes:
        for zone in zones_of(MOBILE, "NZ"):
            assert _is_open(at, zone, rules)
    if isinstance(decided, Hold):
        assert verdict(an_invoice(issued_on=None), about=replace(about, now=at)) == Send(MOBILE)


def _is_open(at: datetime, zone: str, rules: InvoiceIssuedPolicy) -> bool:
    clock = at.astimezone(ZoneInfo(zone)).time()
    if rules.opens < rules.closes:
        return rules.opens <= clock < rules.closes
    return clock >= rules.opens or clock < rules.closes


@given(invoices, contacts, abouts)
def test_a_decision_says_nothing_of_the_person_but_the_address(
    invoice: Invoice, contact: Contact | None, about: Circumstances
) -> None:
    decided = on_invoice_issued(invoice, contact, about)
    if isinstance(decided, Skip):
        assert decided.reason is not Reason.NONE
        assert decided.detail == "" or decided.detail.replace("_", "").isalpha()


PAYMENT = InvoicePayment("p1", Decimal("20.00"), date(2026, 11, 20))


def on_payment(
    payment: InvoicePayment | None = PAYMENT, about: Circumstances | None = None, **invoice: Any
) -> Verdict:
    return on_payment_received(an_invoice(**invoice), payment, a_contact(), about or circumstances())


def test_a_payment_is_confirmed_whether_something_is_still_owing_or_not() -> None:
    assert on_payment() == Send(MOBILE)
    assert on_payment(status=InvoiceStatus.PAID, amount_due=Decimal(0)) == Send(MOBILE)


@pytest.mark.parametrize(
    ("payment", "invoice", "reason"),
    [
        (None, {}, Reason.PAYMENT_REMOVED),
        (PAYMENT, {"type": InvoiceType.BILL}, Reason.NOT_A_SALE),
        (PAYMENT, {"status": InvoiceStatus.VOIDED}, Reason.NO_LONGER_VALID),
        (PAYMENT, {"status": InvoiceStatus.DRAFT}, Reason.NO_LONGER_VALID),
        (PAYMENT, {"amount_due": None}, Reason.AMOUNT_UNKNOWN),
        (replace(PAYMENT, amount=Decimal(0)), {}, Reason.NOT_A_PAYMENT),
        (replace(PAYMENT, amount=Decimal(-5)), {}, Reason.NOT_A_PAYMENT),
        (replace(PAYMENT, paid_on=date(2026, 11, 5)), {}, Reason.TOO_OLD),
    ],
)
def test_a_payment_that_nobody_is_told_of(
    payment: InvoicePayment | None, invoice: dict[str, Any], reason: Reason
) -> None:
    assert on_payment(payment, **invoice) == Skip(reason)


def test_a_switched_off_confirmation_is_not_told() -> None:
    off = circumstances(policy=policy(payment_received={"enabled": False}))
    assert on_payment(about=off) == Skip(Reason.KIND_OFF)


@pytest.mark.parametrize("days", [1, 3, 40])
def test_a_payment_dated_ahead_waits_for_its_day_in_the_organisation(days: int) -> None:
    ahead = replace(PAYMENT, paid_on=date(2026, 11, 20) + timedelta(days=days))
    found = on_payment(ahead)
    assert isinstance(found, Hold)
    assert (found.reason, found.address) == (Reason.DATED_AHEAD, MOBILE)
    on_its_day = circumstances(now=found.not_before)
    assert on_payment(ahead, on_its_day) == Send(MOBILE)
    just_before = circumstances(now=(found.not_before or NOW) - timedelta(seconds=1))
    assert isinstance(on_payment(ahead, just_before), Hold)


def test_a_payment_dated_ahead_of_somebody_who_opted_out_is_not_even_held() -> None:
    ahead = replace(PAYMENT, paid_on=date(2026, 12, 1))
    assert on_payment(ahead, circumstances(refusals={MOBILE: "opted_out"})) == Skip(Reason.OPTED_OUT)


def test_a_contact_whose_status_is_not_known_to_be_active_is_not_written_to() -> None:
    assert verdict(contact=a_contact(status=ContactStatus.UNKNOWN)) == Skip(Reason.CONTACT_CLOSED)


def test_what_a_person_wants_said_is_never_too_old() -> None:
    forced = circumstances(forced=True)
    assert verdict(an_invoice(issued_on=date(2020, 1, 1)), about=forced) == Send(MOBILE)
    assert on_payment(replace(PAYMENT, paid_on=date(2020, 1, 1)), forced) == Send(MOBILE)
