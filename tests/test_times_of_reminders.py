"""Days and hours of reminders where calendars and clocks are odd: the organisation's day, and every wait."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duebell.hours.working_days import Typed, next_open_instant, place_of
from duebell.model import Phone, PhoneType
from duebell.policy.ladder import stage_due, step_key
from duebell.policy.overdue import Chase, on_invoice_overdue, on_overdue_for_team
from duebell.policy.reaching import SMS, Way
from duebell.policy.verdict import Circumstances, Hold, Reason, Send, Skip, Verdict
from duebell.policy_file.overdue import StagePolicy
from duebell.policy_file.policy import Policy
from duebell.policy_file.shapes import WhoseClock
from tests.support_facts import MOBILE, a_contact, an_invoice, circumstances

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CHANGES = {
    # the two changes of the clocks of one year, as the first instant of the new time
    "Pacific/Auckland": (datetime(2027, 4, 3, 14, tzinfo=UTC), datetime(2027, 9, 25, 14, tzinfo=UTC)),
    "Australia/Sydney": (datetime(2027, 4, 3, 16, tzinfo=UTC), datetime(2027, 10, 2, 16, tzinfo=UTC)),
    "Europe/London": (datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 10, 31, 1, tzinfo=UTC)),
    "America/New_York": (datetime(2027, 3, 14, 7, tzinfo=UTC), datetime(2027, 11, 7, 6, tzinfo=UTC)),
    # the clock is changed at midnight: a day that begins at 01:00, and one whose midnight comes twice
    "Africa/Cairo": (datetime(2027, 4, 29, 22, tzinfo=UTC), datetime(2027, 10, 28, 21, tzinfo=UTC)),
    "America/Havana": (datetime(2027, 3, 14, 5, tzinfo=UTC), datetime(2027, 11, 7, 5, tzinfo=UTC)),
    # half an hour, and the two sides of the day line
    "Australia/Lord_Howe": (datetime(2027, 4, 3, 15, tzinfo=UTC), datetime(2027, 10, 2, 15, 30, tzinfo=UTC)),
    "Pacific/Chatham": (datetime(2027, 4, 3, 14, tzinfo=UTC), datetime(2027, 9, 25, 14, tzinfo=UTC)),
}
ZONES = [*CHANGES, "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu", "UTC"]
ANY_HOUR: dict[str, Any] = {
    "opens": "00:00", "closes": "00:00", "on_holidays": True,
    "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
}  # fmt: skip
AT_ANY_HOUR = Policy.model_validate({"invoice_overdue": ANY_HOUR, "team": {"accounts": ANY_HOUR}})
OFFICE = Policy()
LONG = Policy.model_validate({"invoice_overdue": {**ANY_HOUR, "late_days": 366}})


def about(zone: str, now: datetime, policy: Policy = AT_ANY_HOUR) -> Circumstances:
    return circumstances(policy=policy, timezone=zone, now=now)


def today(zone: str, now: datetime) -> date:
    return now.astimezone(ZoneInfo(zone)).date()


def decided(circumstance: Circumstances, due_on: date, **changes: Any) -> Verdict:
    """What is decided of the stage that is due that day, or of ``stage``."""
    rules = circumstance.policy.invoice_overdue
    promised = changes.pop("promised", None)
    phone = Phone(PhoneType.MOBILE, "", "", changes.pop("mobile", MOBILE))
    invoice = an_invoice(due_on=due_on, expected_payment_on=promised)
    stage = stage_due(invoice, rules, today(circumstance.timezone, circumstance.now))
    step = step_key(changes.pop("stage", stage.name if stage else "soon"), due_on)
    return on_invoice_overdue(invoice, a_contact(phones=(phone,)), circumstance, Chase(step, **changes))


@pytest.mark.parametrize("zone", CHANGES)
def test_the_table_is_of_changes_of_the_clocks(zone: str) -> None:
    for change in CHANGES[zone]:
        before, after = (
            moment.astimezone(ZoneInfo(zone)).utcoffset() for moment in (change - MINUTE, change)
        )
        assert before != after, (zone, change)


@pytest.mark.parametrize("zone", CHANGES)
def test_a_stage_begins_and_ends_with_the_organisation_s_day_however_long_that_is(zone: str) -> None:
    only = AT_ANY_HOUR.invoice_overdue.model_copy(
        update={"stages": (StagePolicy(name="day", days=1, late_days=0),)}
    )
    policy = AT_ANY_HOUR.model_copy(update={"invoice_overdue": only})
    lengths: set[int] = set()
    for change in CHANGES[zone]:
        due_on = today(zone, change) - DAY
        open_for = [
            minutes
            for minutes in range(-36 * 60, 36 * 60, 15)
            if isinstance(decided(about(zone, change + minutes * MINUTE, policy), due_on, stage="day"), Send)
        ]
        lengths.add(len(open_for) * 15)
        assert all(today(zone, change + minutes * MINUTE) == due_on + DAY for minutes in open_for)
    half = 30 if zone == "Australia/Lord_Howe" else 60
    assert lengths == {24 * 60 - half, 24 * 60 + half}


@given(st.sampled_from(ZONES), st.dates(date(2027, 1, 1), date(2029, 12, 31)), st.integers(-1, 1))
def test_the_last_instant_of_the_due_date_is_not_overdue_and_the_next_is(
    zone: str, due_on: date, seconds: int
) -> None:
    ends = datetime.combine(due_on + DAY, time(), ZoneInfo(zone)).astimezone(UTC)
    now = ends + timedelta(seconds=seconds)
    decision = decided(about(zone, now), due_on, stage="overdue")
    assert isinstance(decision, Send) is (today(zone, now) > due_on)
    if seconds >= 0:
        assert isinstance(decision, Send)


def test_two_organisations_on_the_two_sides_of_the_day_line_are_a_day_apart() -> None:
    due_on = date(2028, 2, 29)
    now = datetime(2028, 3, 1, 10, 30, tzinfo=UTC)  # the 2nd in Kiritimati, the 29th in Pago Pago
    assert decided(about("Pacific/Kiritimati", now), due_on) == Send(MOBILE)
    assert decided(about("Pacific/Pago_Pago", now), due_on, stage="overdue") == Skip(Reason.STAGE_PASSED)
    assert decided(about("Pacific/Pago_Pago", now + DAY), due_on, stage="overdue") == Send(MOBILE)


ODD_DAYS = st.sampled_from(
    [date(2028, 2, 28), date(2028, 2, 29), date(2028, 3, 1), date(2027, 12, 31), date(2028, 1, 31)]
) | st.sampled_from([today(zone, change) for zone, both in CHANGES.items() for change in both])
NEAR = st.integers(-40 * 60, 40 * 60).map(lambda minutes: minutes * MINUTE)


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone, and a moment near one of its odd days."""
    zone = draw(st.sampled_from(ZONES))
    noon = datetime.combine(draw(ODD_DAYS), time(12), ZoneInfo(zone)).astimezone(UTC)
    return zone, noon + draw(NEAR)


@given(moments(), st.integers(0, 9), st.integers(0, 5), st.sampled_from([AT_ANY_HOUR, OFFICE]))
@settings(max_examples=150)
def test_a_promise_holds_up_to_the_first_open_instant_after_its_days_of_grace(
    moment: tuple[str, datetime], days: int, grace: int, policy: Policy
) -> None:
    zone, now = moment
    rules = policy.invoice_overdue.model_copy(update={"promise_grace_days": grace, "late_days": 60})
    circumstance = about(zone, now, policy.model_copy(update={"invoice_overdue": rules}))
    promised = today(zone, now) + days * DAY
    due_on = today(zone, now) - 7 * DAY
    decision = decided(circumstance, due_on, promised=promised)
    over = datetime.combine(promised + (grace + 1) * DAY, time(), ZoneInfo(zone)).astimezone(UTC)
    place = place_of(rules, MOBILE, Typed(), "NZ", zone)
    assert decision == Hold(Reason.PROMISED, MOBILE, next_open_instant(max(over, now), rules, place))
    assert isinstance(decision, Hold)
    assert decision.not_before is not None
    assert today(zone, decision.not_before) > promised + grace * DAY


def zones_of(circumstance: Circumstances, mobile: str) -> list[str]:
    """Whose days count: the recipient's, of whom a number may leave several open, or the organisation's."""
    rules = circumstance.policy.invoice_overdue
    return list(place_of(rules, mobile, Typed(), circumstance.country, circumstance.timezone).zones)


LONDON = "+447400123456"
NUMBERS = [MOBILE, LONDON, "+12125550123", "+61400123456", "+68672001234"]


@given(
    moments(), st.integers(0, 80 * 60), st.integers(0, 10),
    st.sampled_from(NUMBERS), st.sampled_from(["recipient", "organisation"]),
)  # fmt: skip
@settings(max_examples=300)
def test_between_two_reminders_lie_so_many_days_of_the_clock_that_the_hours_go_by(
    moment: tuple[str, datetime], minutes_ago: int, gap: int, mobile: str, clock: str
) -> None:
    zone, now = moment
    earlier = now - minutes_ago * MINUTE
    rules = LONG.invoice_overdue.model_copy(update={"gap_days": gap, "clock": WhoseClock(clock)})
    circumstance = about(zone, now, LONG.model_copy(update={"invoice_overdue": rules}))
    zones, due_on = zones_of(circumstance, mobile), today(zone, now) - 7 * DAY

    def is_apart(moment: datetime) -> bool:
        return all(today(one, moment) >= today(one, earlier) + gap * DAY for one in zones)

    decision = decided(circumstance, due_on, mobile=mobile, customer_reminded_at=(earlier,))
    if is_apart(now):
        assert decision == Send(mobile)
        return
    assert isinstance(decision, Hold)
    assert (decision.reason, decision.address) == (Reason.TOO_SOON, mobile)
    begins = decision.not_before
    assert begins is not None
    assert is_apart(begins)
    assert not is_apart(begins - timedelta(seconds=1))
    then = replace(circumstance, now=begins)
    again = decided(then, due_on, mobile=mobile, customer_reminded_at=(earlier,))
    assert not isinstance(again, Hold)


@given(moments(), st.integers(1, 50 * 60), st.sampled_from(["recipient", "organisation"]))
@settings(max_examples=150)
def test_a_team_hears_its_digest_once_on_each_day_of_its_own_clock(
    moment: tuple[str, datetime], minutes_ago: int, clock: str
) -> None:
    zone, now = moment
    earlier = now - minutes_ago * MINUTE
    team = AT_ANY_HOUR.team["accounts"].model_copy(update={"clock": WhoseClock(clock)})
    circumstance = about(zone, now, AT_ANY_HOUR.model_copy(update={"team": {"accounts": team}}))
    invoice = an_invoice(due_on=today(zone, now) - 14 * DAY)
    chase = Chase(step_key("third", invoice.due_on or date.max), address_reminded_at=(earlier,))
    way, theirs = Way(SMS, LONDON), zone if clock == "organisation" else "Europe/London"
    decision = on_overdue_for_team(invoice, "accounts", way, circumstance, chase)
    same_day = today(theirs, earlier) == today(theirs, now)
    assert isinstance(decision, Hold) is same_day
    if isinstance(decision, Hold):
        assert decision.not_before is not None
        later = replace(circumstance, now=decision.not_before)
        assert today(theirs, decision.not_before) == today(theirs, now) + DAY
        assert on_overdue_for_team(invoice, "accounts", way, later, chase) in {
            Send(LONDON),
            Skip(Reason.STAGE_PASSED),
        }


@given(st.sampled_from(ZONES), ODD_DAYS, st.sets(st.integers(-10, 60)), st.integers(0, 23))
@settings(max_examples=100)
def test_days_on_which_no_sweep_ran_give_each_stage_once_at_most_and_never_two_on_a_day(
    zone: str, due_on: date, missed: set[int], hour: int
) -> None:
    said: list[tuple[date, str]] = []
    reminded: tuple[datetime, ...] = ()
    for day in range(-10, 61):
        now = datetime.combine(due_on + day * DAY, time(hour), ZoneInfo(zone)).astimezone(UTC)
        stage = stage_due(an_invoice(due_on=due_on), AT_ANY_HOUR.invoice_overdue, today(zone, now))
        heard = {name for _, name in said}
        if day in missed or stage is None or stage.name in heard:
            continue
        if isinstance(decided(about(zone, now), due_on, customer_reminded_at=reminded), Send):
            said.append((today(zone, now), stage.name))
            reminded = (*reminded, now)
    names = [name for _, name in said]
    order = [stage.name for stage in AT_ANY_HOUR.invoice_overdue.stages]
    assert names == [name for name in order if name in names]
    days = [day for day, _ in said]
    assert all(later - earlier >= 3 * DAY for earlier, later in pairwise(days))
    if not missed:
        assert names == order
