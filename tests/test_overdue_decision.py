"""Whether a reminder goes out: one test a reason, and what must never be, whatever else is true."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.hours.working_days import Typed, next_open_instant, place_of
from duebell.model import Contact, ContactStatus, Invoice, InvoiceStatus, InvoiceType
from duebell.policy.ladder import step_key
from duebell.policy.overdue import Chase, on_invoice_overdue, on_overdue_for_team
from duebell.policy.reaching import SMS, Way
from duebell.policy.rules import Route
from duebell.policy.verdict import Circumstances, Hold, Reason, Send, Skip, Verdict
from duebell.policy_file.policy import Policy
from duebell.states import Sending
from tests.support_facts import MOBILE, NOW, OTHER_MOBILE, a_contact, an_invoice, circumstances

TODAY = date(2026, 11, 20)  # a Friday; NOW is 14:16 of it in Auckland
DAY = timedelta(days=1)
ANY_HOUR: dict[str, Any] = {
    "opens": "00:00",
    "closes": "00:00",
    "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    "on_holidays": True,
}


def overdue_policy(**rules: Any) -> Policy:
    """The shipped policy, but with reminders and the team's alerts at any hour."""
    return Policy.model_validate({"invoice_overdue": ANY_HOUR | rules, "team": {"accounts": ANY_HOUR}})


def late_by(days: int, **changes: Any) -> Invoice:
    """An invoice that was due so many days ago."""
    return an_invoice(**({"due_on": TODAY - days * DAY, "issued_on": date(2026, 9, 1)} | changes))


def chase(invoice: Invoice, stage: str = "second", **changes: Any) -> Chase:
    due_on = invoice.due_on or TODAY
    return replace(Chase(step_key(stage, due_on)), **changes)


def about(policy: Policy | None = None, **changes: Any) -> Circumstances:
    return circumstances(policy=policy or overdue_policy(), **changes)


def verdict(
    invoice: Invoice | None = None,
    contact: Contact | None = None,
    circumstance: Circumstances | None = None,
    **changes: Any,
) -> Verdict:
    one = invoice or late_by(7)
    return on_invoice_overdue(one, contact or a_contact(), circumstance or about(), chase(one, **changes))


def midnight(day: date) -> datetime:
    """The beginning of a day in Auckland in November, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=13)


def at_noon(*days_ago: int) -> tuple[datetime, ...]:
    return tuple(midnight(TODAY - days * DAY) + timedelta(hours=12) for days in days_ago)


def test_a_customer_is_reminded_on_the_day_of_a_stage() -> None:
    assert verdict() == Send(MOBILE)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": InvoiceType.BILL}, Reason.NOT_A_SALE),
        ({"status": InvoiceStatus.VOIDED, "amount_due": Decimal(0)}, Reason.NO_LONGER_VALID),
        ({"status": InvoiceStatus.DELETED}, Reason.NO_LONGER_VALID),
        ({"status": InvoiceStatus.PAID, "amount_due": Decimal(0)}, Reason.ALREADY_PAID),
        ({"status": InvoiceStatus.DRAFT}, Reason.NOT_APPROVED),
        ({"status": InvoiceStatus.UNKNOWN}, Reason.NOT_APPROVED),
        ({"amount_due": None}, Reason.AMOUNT_UNKNOWN),
        ({"amount_due": Decimal(0)}, Reason.ALREADY_PAID),
        ({"due_on": None}, Reason.NO_DUE_DATE),
        ({"amount_due": Decimal("9.99")}, Reason.BELOW_MINIMUM),
    ],
)
def test_an_invoice_of_which_nobody_is_reminded(changes: dict[str, Any], reason: Reason) -> None:
    invoice = late_by(7, **changes)
    assert verdict(invoice) == Skip(reason)
    told = on_overdue_for_team(invoice, "accounts", Way(SMS, OTHER_MOBILE), about(), chase(invoice))
    assert told == Skip(reason)


def test_a_switched_off_ladder_says_nothing() -> None:
    assert verdict(circumstance=about(overdue_policy(enabled=False))) == Skip(Reason.KIND_OFF)


def test_a_currency_without_a_minimum_is_chased_for_its_smallest_coin() -> None:
    assert verdict(late_by(7, amount_due=Decimal("0.01"), currency="FJD")) == Send(MOBILE)


def test_a_stage_that_was_planned_for_another_due_date_is_not_said() -> None:
    invoice = late_by(7)
    planned = Chase(step_key("second", TODAY - 8 * DAY))
    assert on_invoice_overdue(invoice, a_contact(), about(), planned) == Skip(Reason.DUE_DATE_MOVED)


@pytest.mark.parametrize(
    ("days", "stage"), [(14, "second"), (6, "second"), (37, "last"), (7, "gone"), (1, "soon")]
)
def test_a_stage_that_is_not_today_s_is_not_said(days: int, stage: str) -> None:
    assert verdict(late_by(days), step=step_key(stage, TODAY - days * DAY)) == Skip(Reason.STAGE_PASSED)


def test_a_person_may_have_a_stage_said_late_but_never_that_it_is_due_soon() -> None:
    forced = about(forced=True)
    assert verdict(late_by(90), circumstance=forced) == Send(MOBILE)
    assert verdict(circumstance=forced, customer_reminded_at=at_noon(0)) == Send(MOBILE)
    soon = chase(late_by(1), "soon")
    assert on_invoice_overdue(late_by(1), a_contact(), forced, soon) == Skip(Reason.STAGE_PASSED)


def test_the_calendar_is_the_organisation_s() -> None:
    # 23:30 on the 20th in UTC is the 21st in Auckland: the eighth day, and in London the seventh.
    now = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    invoice = an_invoice(due_on=date(2026, 11, 14))
    in_auckland = about(now=now)
    assert verdict(invoice, circumstance=in_auckland) == Send(MOBILE)
    in_london = about(now=now, timezone="Europe/London", country="GB")
    assert verdict(invoice, circumstance=in_london) == Skip(Reason.STAGE_PASSED)


def test_a_group_that_is_never_chased_is_not_but_the_team_hears() -> None:
    invoice = late_by(14)
    spared = a_contact(groups=("Others", " no reminders"))
    assert verdict(invoice, spared, step=step_key("third", TODAY - 14 * DAY)) == Skip(
        Reason.GROUP_NEVER_CHASED
    )
    told = on_overdue_for_team(invoice, "accounts", Way(SMS, OTHER_MOBILE), about(), chase(invoice, "third"))
    assert told == Send(OTHER_MOBILE)


def test_a_rule_may_leave_it_unsaid() -> None:
    assert verdict(route=Route(1, silence=True)) == Skip(Reason.SILENCED_BY_RULE)


def test_a_stage_for_the_team_alone_is_not_for_the_customer() -> None:
    stages = [{"name": "second", "days": 7, "tell": ["team:accounts"]}]
    circumstance = about(overdue_policy(stage=stages))
    assert verdict(circumstance=circumstance) == Skip(Reason.NOT_TOLD_OF_STAGE)
    one = late_by(7)
    assert on_overdue_for_team(one, "accounts", Way(SMS, MOBILE), circumstance, chase(one)) == Send(MOBILE)


@pytest.mark.parametrize("team", ["sales", "nobody"])
def test_a_team_that_the_stage_does_not_name_does_not_hear(team: str) -> None:
    policy = overdue_policy().model_copy(update={"team": {"sales": overdue_policy().team["accounts"]}})
    invoice = late_by(14)
    told = on_overdue_for_team(invoice, team, Way(SMS, MOBILE), about(policy), chase(invoice, "third"))
    assert told == Skip(Reason.NOT_TOLD_OF_STAGE)


def test_a_person_who_cannot_or_must_not_be_written_to_is_not() -> None:
    assert on_invoice_overdue(late_by(7), None, about(), chase(late_by(7))) == Skip(Reason.NO_CONTACT)
    assert verdict(contact=a_contact(status=ContactStatus.ARCHIVED)) == Skip(Reason.CONTACT_CLOSED)
    assert verdict(contact=a_contact(phones=())) == Skip(Reason.NO_PHONE, "no_phone")
    assert verdict(circumstance=about(refusals={MOBILE: "opted_out"})) == Skip(Reason.OPTED_OUT)


def test_a_review_waits_for_a_person() -> None:
    review = about(sending=Sending.REVIEW)
    assert verdict(circumstance=review) == Hold(Reason.IN_REVIEW, MOBILE)
    assert verdict(circumstance=review, credit=Decimal(50)) == Hold(Reason.IN_REVIEW, MOBILE)


@pytest.mark.parametrize("days", [0, 1, 9])
def test_a_promise_holds_until_its_day_and_the_days_of_grace_have_passed(days: int) -> None:
    promised = late_by(7, expected_payment_on=TODAY + days * DAY)
    held = Hold(Reason.PROMISED, MOBILE, midnight(TODAY + (days + 2) * DAY))
    assert verdict(promised) == held
    assert held.not_before is not None
    late = about(now=held.not_before)
    assert verdict(promised, circumstance=late).__class__ is (Skip if days == 9 else Send)
    assert verdict(promised, circumstance=about(overdue_policy(promise="ignore"))) == Send(MOBILE)


def test_the_last_day_of_grace_still_holds_and_the_day_after_does_not() -> None:
    yesterday, before = (late_by(7, expected_payment_on=TODAY - days * DAY) for days in (1, 2))
    assert verdict(yesterday) == Hold(Reason.PROMISED, MOBILE, midnight(TODAY + DAY))
    assert verdict(before) == Send(MOBILE)


def test_a_promise_of_the_end_of_days_is_no_error() -> None:
    for slip in (date.max, date.min):
        assert isinstance(verdict(late_by(7, expected_payment_on=slip)), Hold | Send)


@pytest.mark.parametrize(
    ("credit", "due", "word", "held"),
    [
        ("0", 0, "any", False), ("9.99", 0, "any", False), ("10", 0, "any", True), ("10", 300, "any", True),
        ("114.99", 0, "covers", False), ("115", 0, "covers", True), ("115", 115, "covers", True),
        ("299.99", 300, "covers", False), ("300", 300, "covers", True), ("0", 0, "covers", False),
        ("1000", 0, "ignore", False),
    ],
)  # fmt: skip
def test_a_customer_in_credit_waits_as_the_policy_says(credit: str, due: int, word: str, held: bool) -> None:  # noqa: FBT001 - a column of the table
    decided = verdict(
        circumstance=about(overdue_policy(credit=word)), credit=Decimal(credit), due=Decimal(due)
    )
    expected = Hold(Reason.IN_CREDIT, MOBILE, midnight(TODAY + DAY)) if held else Send(MOBILE)
    assert decided == expected


@pytest.mark.parametrize(
    ("reminded", "gap_days", "free_in"),
    [((3,), 3, 0), ((2,), 3, 1), ((0,), 3, 3), ((9, 1), 3, 2), ((0,), 0, 0), ((0,), 1, 1), ((1,), 1, 0)],
)
def test_from_one_reminder_to_the_next_lies_the_gap(
    reminded: tuple[int, ...], gap_days: int, free_in: int
) -> None:
    circumstance = about(overdue_policy(gap_days=gap_days))
    decided = verdict(circumstance=circumstance, customer_reminded_at=at_noon(*reminded))
    later = midnight(TODAY + free_in * DAY)
    assert decided == (Hold(Reason.TOO_SOON, MOBILE, later) if free_in else Send(MOBILE))


@pytest.mark.parametrize(
    ("reached", "free_in"),
    [((0,), 1), ((1,), 0), ((1, 2, 3), 4), ((4, 5, 6), 1), ((5, 6, 7), 0), ((1, 2, 3, 4), 4), ((0, 5, 6), 1)],
)
def test_f060_an_address_that_several_share_has_its_limits(reached: tuple[int, ...], free_in: int) -> None:
    decided = verdict(address_reminded_at=at_noon(*reached))
    later = midnight(TODAY + free_in * DAY)
    assert decided == (Hold(Reason.TOO_MANY, MOBILE, later) if free_in else Send(MOBILE))


def test_the_longest_wait_counts() -> None:
    promised = late_by(7, expected_payment_on=TODAY + DAY)
    assert verdict(promised, credit=Decimal(50), customer_reminded_at=at_noon(0)) == Hold(
        Reason.PROMISED, MOBILE, midnight(TODAY + 3 * DAY)
    )


def test_a_wait_ends_in_office_hours() -> None:
    monday = midnight(TODAY + 3 * DAY) + timedelta(hours=9)  # in Auckland, where the number may be
    evening = NOW + timedelta(hours=4)
    decided = verdict(circumstance=about(Policy(), now=evening))
    assert decided == Hold(Reason.OUTSIDE_WINDOW, MOBILE, monday)
    in_credit = Policy.model_validate({"invoice_overdue": {"credit": "any"}})
    assert verdict(circumstance=about(in_credit), credit=Decimal(50)) == Hold(
        Reason.IN_CREDIT, MOBILE, monday
    )


def test_a_team_with_a_daily_digest_hears_once_a_day() -> None:
    invoice = late_by(14)
    told = chase(invoice, "third", address_reminded_at=at_noon(0))
    assert on_overdue_for_team(invoice, "accounts", Way(SMS, MOBILE), about(), told) == Hold(
        Reason.DIGEST, MOBILE, midnight(TODAY + DAY)
    )
    each = Policy.model_validate(
        {"invoice_overdue": ANY_HOUR, "team": {"accounts": ANY_HOUR | {"digest": "each"}}}
    )
    assert on_overdue_for_team(invoice, "accounts", Way(SMS, MOBILE), about(each), told) == Send(MOBILE)


def test_a_team_may_hear_by_email_and_not_against_its_will() -> None:
    invoice, way = late_by(14), Way("email", "accounts@example.com")
    assert on_overdue_for_team(invoice, "accounts", way, about(), chase(invoice, "third")) == Send(
        "accounts@example.com", "email"
    )
    refused = about(refusals={way.address: "opted_out"})
    told = on_overdue_for_team(invoice, "accounts", way, refused, chase(invoice, "third"))
    assert told == Skip(Reason.OPTED_OUT)


def test_a_team_hears_of_what_its_customer_is_spared() -> None:
    promised = late_by(14, expected_payment_on=TODAY + 5 * DAY)
    spared = chase(promised, "third", credit=Decimal(500), route=Route(1, silence=True))
    assert on_overdue_for_team(promised, "accounts", Way(SMS, MOBILE), about(), spared) == Send(MOBILE)


invoices = st.builds(
    late_by,
    st.integers(-10, 50),
    type=st.sampled_from(InvoiceType),
    status=st.sampled_from([InvoiceStatus.AUTHORISED, InvoiceStatus.AUTHORISED, *InvoiceStatus]),
    amount_due=st.none() | st.decimals(-10, 50, places=2),
    expected_payment_on=st.none() | st.dates(TODAY - 20 * DAY, TODAY + 20 * DAY),
)
contacts = st.none() | st.builds(
    a_contact,
    status=st.sampled_from(ContactStatus),
    groups=st.sampled_from([(), ("No reminders",), ("Others",)]),
    phones=st.sampled_from([(), a_contact().phones]),
)
moments = st.integers(-60 * 24 * 4, 60 * 24 * 4).map(lambda minutes: NOW + timedelta(minutes=minutes))
abouts = st.builds(
    about,
    st.builds(
        overdue_policy,
        credit=st.sampled_from(["any", "covers", "ignore"]),
        promise=st.sampled_from(["hold", "ignore"]),
    )
    | st.just(Policy()),
    sending=st.sampled_from([Sending.LIVE, Sending.LIVE, Sending.REVIEW]),
    now=moments,
    forced=st.booleans(),
)
chases = st.builds(
    Chase,
    st.builds(
        step_key,
        st.sampled_from(["soon", "overdue", "second", "third", "last"]),
        st.dates(TODAY - 40 * DAY, TODAY + 10 * DAY),
    ),
    route=st.sampled_from([Route(), Route(1, silence=True)]),
    credit=st.decimals(0, 60, places=2),
    customer_reminded_at=st.lists(moments, max_size=3).map(tuple),
    address_reminded_at=st.lists(moments, max_size=4).map(tuple),
    announced_at=st.lists(moments, max_size=2).map(tuple),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Invoice, Contact | None, Circumstances, Chase]:
    invoice, planned = draw(invoices), draw(chases)
    if draw(st.integers(0, 3)) and invoice.due_on:
        name = planned.step.partition("@")[0]
        planned = replace(planned, step=step_key(name, invoice.due_on))
    return invoice, draw(contacts), draw(abouts), planned


@given(cases())
def test_nobody_is_ever_reminded_of_what_is_not_owed_or_not_to_be_said(
    case: tuple[Invoice, Contact | None, Circumstances, Chase],
) -> None:
    invoice, contact, circumstance, planned = case
    decided = on_invoice_overdue(*case)
    if isinstance(decided, Send):
        rules = circumstance.policy.invoice_overdue
        assert (invoice.type, invoice.status) == (InvoiceType.SALE, InvoiceStatus.AUTHORISED)
        assert (invoice.amount_due or 0) >= 10
        assert planned.step.endswith(f"@{invoice.due_on}")
        assert contact
        assert "No reminders" not in contact.groups
        assert not planned.route.silence
        assert circumstance.sending is Sending.LIVE
        place = place_of(rules, decided.address, Typed(), "NZ", "Pacific/Auckland")
        assert next_open_instant(circumstance.now, rules, place) == circumstance.now


@given(cases())
def test_a_reminder_that_was_held_is_held_until_later_and_then_not_for_the_same_reason(
    case: tuple[Invoice, Contact | None, Circumstances, Chase],
) -> None:
    invoice, contact, circumstance, planned = case
    decided = on_invoice_overdue(*case)
    if isinstance(decided, Hold) and decided.not_before:
        assert decided.not_before > circumstance.now
        then = replace(circumstance, now=decided.not_before)
        again = on_invoice_overdue(invoice, contact, then, planned)
        assert not isinstance(again, Hold) or again.reason is Reason.IN_CREDIT or again.not_before is None
