"""Which reminders one message tells, and how much is sent before a person is asked."""

from dataclasses import fields
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.deciding.routing import said_as
from duebell.keys import INVOICE_OVERDUE
from duebell.policy.breaker import breaker, room
from duebell.policy.overdue_groups import Candidate, groups_of
from duebell.policy.rules import Route
from duebell.policy_file.overdue import LADDER, StagePolicy
from duebell.policy_file.policy import Policy
from duebell.policy_file.sections import LimitsPolicy, SendingPolicy
from duebell.policy_file.shapes import Channel
from tests.support_facts import an_invoice, numbered

SOON, OVERDUE, SECOND, THIRD, LAST = LADDER
DUE = StagePolicy(name="due", days=0)
TODAY = date(2026, 11, 20)
LIMITS = LimitsPolicy()


def candidate(number: int, customer: str = "rimu", stage: Any = OVERDUE, **changes: Any) -> Candidate:
    said_as = changes.pop("said_as", ())
    due_on = TODAY - timedelta(days=stage.days)
    usual: dict[str, Any] = {"invoice_id": numbered(number), "number": f"INV-{number:04}", "due_on": due_on}
    return Candidate(customer, an_invoice(**(usual | changes)), stage, TODAY, said_as)


def told(*candidates: Candidate, together: bool = True) -> list[tuple[str, str, str, list[str]]]:
    return [
        (group.customer, group.currency, group.stage.name, [one.invoice.number for one in group.members])
        for group in groups_of(candidates, together=together)
    ]


def test_all_overdue_invoices_of_a_customer_are_one_message_the_oldest_first() -> None:
    assert told(candidate(1), candidate(2, stage=THIRD), candidate(3, stage=SECOND)) == [
        ("rimu", "NZD", "third", ["INV-0002", "INV-0003", "INV-0001"])
    ]


def test_currencies_and_customers_are_told_apart() -> None:
    assert told(candidate(1), candidate(2, currency="AUD"), candidate(3, "kauri")) == [
        ("kauri", "NZD", "overdue", ["INV-0003"]),
        ("rimu", "AUD", "overdue", ["INV-0002"]),
        ("rimu", "NZD", "overdue", ["INV-0001"]),
    ]


def test_what_is_due_soon_is_not_told_among_what_is_overdue() -> None:
    assert [numbers for *_, numbers in told(candidate(1), candidate(2, stage=SOON))] == [
        ["INV-0001"],
        ["INV-0002"],
    ]


def test_the_stage_of_the_due_date_is_told_with_what_is_due_soon_and_later_with_what_is_overdue() -> None:
    missed = candidate(3, stage=DUE, due_on=TODAY - timedelta(days=2))
    grouped = told(candidate(1), candidate(2, stage=DUE), missed, candidate(4, stage=SOON))
    assert [numbers for *_, numbers in grouped] == [["INV-0003", "INV-0001"], ["INV-0002", "INV-0004"]]


def test_what_a_rule_gives_other_words_is_told_apart_and_what_it_gives_the_same_is_not() -> None:
    shaping = {field.name for field in fields(Route)} - {"place", "name", "why", "silence"}
    thens: list[dict[str, Any]] = [
        {name: (Channel.EMAIL,) if name == "channels" else "de"} for name in sorted(shaping)
    ]
    policy = Policy(sending=SendingPolicy(sender="Kauri", email_sender="kauri@kauri.example"))
    routes = [Route(1), Route(2, tone="firm"), Route(3, tone="firm"), Route(4, sender="Kauri", language="en")]
    routes += [Route(5, **then) for then in thens]
    said = [said_as(policy, INVOICE_OVERDUE, one, "NZ") for one in routes]
    grouped = told(*(candidate(number, said_as=one) for number, one in enumerate(said, start=1)))
    assert [numbers for *_, numbers in grouped] == [
        ["INV-0001", "INV-0004"],
        ["INV-0002", "INV-0003"],
        *([f"INV-{number:04}"] for number in range(5, 5 + len(thens))),
    ]


def test_without_grouping_each_invoice_is_a_message() -> None:
    assert len(told(candidate(1), candidate(2), together=False)) == 2


candidates = st.lists(
    st.builds(
        candidate,
        st.integers(1, 30),
        st.sampled_from(["rimu", "kauri", "totara"]),
        st.sampled_from([*LADDER, DUE]),
        due_on=st.dates(TODAY - timedelta(days=9), TODAY + timedelta(days=9)),
        currency=st.sampled_from(["NZD", "AUD"]),
    ),
    unique_by=lambda one: one.invoice.invoice_id,
)


@given(candidates, st.booleans(), st.randoms(use_true_random=False))
def test_every_reminder_is_in_one_message_whatever_the_order(
    found: list[Candidate],
    together: bool,  # noqa: FBT001 - drawn by hypothesis
    chance: Any,
) -> None:
    groups = groups_of(found, together=together)
    members = [one for group in groups for one in group.members]
    assert sorted(one.invoice.invoice_id for one in members) == sorted(
        one.invoice.invoice_id for one in found
    )
    for group in groups:
        assert {(one.customer, one.invoice.currency) for one in group.members} == {
            (group.customer, group.currency)
        }
        assert group.stage.days == max(one.stage.days for one in group.members)
        assert not together or len({one.is_overdue for one in group.members}) == 1
    marks = [(group.customer, group.currency, group.members[0].is_overdue) for group in groups]
    assert not together or len(marks) == len(set(marks))
    shuffled = list(found)
    chance.shuffle(shuffled)
    assert groups_of(shuffled, together=together) == groups


@pytest.mark.parametrize(
    ("planned", "earlier", "held"),
    [
        (50, [], False),
        (51, [], True),
        (60, [20], False),
        (61, [20], True),
        (200, [20] * 30, True),
        (3000, [1000, 2], False),
        (3001, [1000, 2], True),
        (60, [1000] + [1] * 30, True),
        (60, [1000] + [1] * 29, False),
    ],
)
def test_the_breaker_holds_what_is_far_more_than_on_any_day_before(
    planned: int,
    earlier: list[int],
    held: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert breaker(planned, earlier, LIMITS) is held


def test_the_breaker_is_the_policy_s() -> None:
    careful = LimitsPolicy(breaker=Decimal("1.5"), breaker_from=1, breaker_days=1)
    assert breaker(16, [99, 10], careful)
    assert not breaker(15, [99, 10], careful)


@given(st.integers(0, 10_000), st.lists(st.integers(0, 1000), max_size=40))
def test_a_day_like_the_days_before_is_never_held(planned: int, earlier: list[int]) -> None:
    if planned <= max(earlier[-30:], default=0):
        assert not breaker(planned, earlier, LIMITS)


def test_an_hour_has_room_up_to_the_ceiling() -> None:
    assert [room(sent, LIMITS) for sent in (0, 299, 300, 301)] == [300, 1, 0, 0]
