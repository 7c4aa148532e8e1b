"""The ladder: one stage a day at most, never a backlog, and nothing twice because somebody edited it."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.errors import Permanent
from duebell.policy.ladder import day_of, promise_over_on, read_step, stage_due, step_key
from duebell.policy_file.overdue import InvoiceOverduePolicy, Promise, StagePolicy
from duebell.policy_file.policy import Policy
from tests.support_facts import an_invoice

RULES = Policy().invoice_overdue
DUE = date(2026, 11, 20)


def rules(stages: dict[str, int] | None = None, **changes: Any) -> InvoiceOverduePolicy:
    """The shipped rules with other stages, given as name and days."""
    made = tuple(StagePolicy(name=name, days=days) for name, days in (stages or {}).items())
    return RULES.model_copy(update=({"stages": made} if stages else {}) | changes)


def said(today: date, overdue: InvoiceOverduePolicy = RULES, **invoice: Any) -> str | None:
    stage = stage_due(an_invoice(**({"due_on": DUE} | invoice)), overdue, today)
    return stage.name if stage else None


def said_day_by_day(overdue: InvoiceOverduePolicy, days: int = 45, **invoice: Any) -> list[str | None]:
    """What is said from ten days before the due date on."""
    due_on = invoice.get("due_on", DUE)
    return [said(due_on + timedelta(days=day), overdue, **invoice) for day in range(-10, days)]


@pytest.mark.parametrize(
    ("day", "stage"),
    [
        (-4, None), (-3, "soon"), (0, "soon"), (1, "overdue"), (6, "overdue"), (7, "second"), (13, "second"),
        (14, "third"), (20, "third"), (21, None), (29, None), (30, "last"), (36, "last"), (37, None),
        (400, None),
    ],
)  # fmt: skip
def test_the_shipped_ladder_day_by_day(day: int, stage: str | None) -> None:
    assert said(DUE + timedelta(days=day)) == stage


def test_what_goes_before_the_due_date_is_never_said_after_it() -> None:
    early = rules({"soon": -3, "late": 30}, late_days=20)
    assert said(DUE, early) == "soon"
    assert said(DUE + timedelta(days=1), early) is None


def test_a_stage_may_have_days_of_its_own() -> None:
    sharp = rules().model_copy(update={"stages": (StagePolicy(name="day", days=1, late_days=0),)})
    assert [said(DUE + timedelta(days=day), sharp) for day in (0, 1, 2)] == [None, "day", None]


def test_an_invoice_without_a_due_date_has_no_stage() -> None:
    assert said(DUE, due_on=None) is None


def test_a_month_of_missed_days_gives_one_stage() -> None:
    seen_only_on = DUE + timedelta(days=31)
    assert said(seen_only_on) == "last"


def test_a_moved_due_date_is_chased_again() -> None:
    moved = DUE + timedelta(days=10)
    assert said(DUE + timedelta(days=1)) == said(moved + timedelta(days=1), due_on=moved) == "overdue"
    assert step_key("overdue", DUE) != step_key("overdue", moved)
    assert said(DUE + timedelta(days=1), due_on=moved) is None


@pytest.mark.parametrize(
    ("due_on", "days", "expected"),
    [
        (date(2028, 2, 28), 1, date(2028, 2, 29)),
        (date(2028, 2, 29), 1, date(2028, 3, 1)),
        (date(2028, 2, 29), 366, date(2029, 3, 1)),
        (date(2028, 3, 1), -1, date(2028, 2, 29)),
        (date(2027, 3, 1), -1, date(2027, 2, 28)),
        (date(2026, 12, 31), 1, date(2027, 1, 1)),
        (date(2026, 1, 31), 30, date(2026, 3, 2)),
        (date.max, 1, date.max),
        (date.min, -3, date.min),
    ],
)
def test_f057_stages_count_calendar_days_over_leap_days_and_the_ends_of_months(
    due_on: date, days: int, expected: date
) -> None:
    assert day_of(StagePolicy(name="a", days=days), due_on) == expected


def test_days_of_a_promise_do_not_make_a_stage_late() -> None:
    promised = DUE + timedelta(days=25)
    over = promised + timedelta(days=2)  # one day of grace
    assert promise_over_on(an_invoice(due_on=DUE, expected_payment_on=promised), RULES) == over
    assert said(promised, expected_payment_on=promised) == "third"
    assert said(over, expected_payment_on=promised) == "third"
    assert said(over + timedelta(days=9), expected_payment_on=promised) == "last"
    assert said(over, rules(promise=Promise.IGNORE), expected_payment_on=promised) is None


def test_a_promise_that_was_over_long_before_changes_nothing() -> None:
    assert said_day_by_day(RULES, expected_payment_on=DUE - timedelta(days=9)) == said_day_by_day(RULES)


def test_a_step_is_the_name_and_the_due_date() -> None:
    assert step_key("second", DUE) == "second@2026-11-20"
    assert read_step("second@2026-11-20") == ("second", DUE)


@pytest.mark.parametrize("step", ["", "second", "second@", "second@soon", "@"])
def test_what_is_no_step_is_refused(step: str) -> None:
    with pytest.raises(Permanent, match="no step"):
        read_step(step)


names = st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True)
ladders = st.dictionaries(names, st.integers(-30, 60), max_size=8).map(
    lambda found: {name: day for day, name in {day: name for name, day in found.items()}.items()}
)
dates = st.dates(date(2023, 1, 1), date(2032, 12, 31))
promises = st.none() | st.integers(-20, 60)


@st.composite
def chases(draw: st.DrawFn) -> tuple[InvoiceOverduePolicy, dict[str, Any]]:
    due_on, promise = draw(dates), draw(promises)
    made = tuple(
        StagePolicy(name=name, days=days, late_days=draw(st.none() | st.integers(0, 12)))
        for name, days in sorted(draw(ladders).items(), key=lambda one: one[1])
    )
    overdue = RULES.model_copy(update={"stages": made, "late_days": draw(st.integers(0, 12))})
    promised = None if promise is None else due_on + timedelta(days=promise)
    return overdue, {"due_on": due_on, "expected_payment_on": promised}


@given(chases())
def test_a_ladder_only_climbs_and_never_names_an_earlier_stage_again(
    chase: tuple[InvoiceOverduePolicy, dict[str, Any]],
) -> None:
    overdue, invoice = chase
    order = [stage.name for stage in sorted(overdue.stages, key=lambda stage: stage.days)]
    climbed = [order.index(name) for name in said_day_by_day(overdue, 100, **invoice) if name]
    assert climbed == sorted(climbed)


@given(chases(), st.integers(-40, 100))
def test_what_is_said_is_the_latest_stage_whose_day_has_come(
    chase: tuple[InvoiceOverduePolicy, dict[str, Any]], day: int
) -> None:
    overdue, invoice = chase
    today = invoice["due_on"] + timedelta(days=day)
    name = said(today, overdue, **invoice)
    begun = [stage for stage in overdue.stages if stage.days <= day]
    assert name is None or name == max(begun, key=lambda stage: stage.days).name


@given(chases(), st.sets(st.integers(-10, 99)))
def test_days_on_which_nobody_looked_give_no_backlog(
    chase: tuple[InvoiceOverduePolicy, dict[str, Any]], looked: set[int]
) -> None:
    overdue, invoice = chase
    begins = sorted(stage.days for stage in overdue.stages)
    told = {said(invoice["due_on"] + timedelta(days=day), overdue, **invoice) for day in looked}
    for stage in overdue.stages:
        ends = min((days for days in begins if days > stage.days), default=1000)
        assert stage.name not in told or any(stage.days <= day < ends for day in looked)


@given(ladders.filter(bool), st.data())
def test_another_order_and_other_days_make_no_new_step(ladder: dict[str, int], data: st.DataObject) -> None:
    moved = data.draw(st.permutations(list(ladder.values())))
    before = {step_key(stage.name, DUE) for stage in rules(ladder).stages}
    after = {step_key(stage.name, DUE) for stage in rules(dict(zip(ladder, moved, strict=True))).stages}
    assert before == after


@given(names, dates)
def test_a_step_is_read_as_it_was_written(name: str, due_on: date) -> None:
    assert read_step(step_key(name, due_on)) == (name, due_on)
    assert not set(step_key(name, due_on)) & set(":#")
