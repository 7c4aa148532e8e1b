"""What the net orders from what it saw: a pure decision."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from deployments.receiver.orders import RunOrder, Seen, orders_for
from duebell.ledger.dispatch import DueRun
from duebell.ledger.inbox import Backlog

NOW = datetime(2026, 11, 20, 1, 16, 59, 999, UTC)
BACKLOG = Backlog("tenant-1", oldest_event_id=7, waiting=3)
DUE = DueRun("tenant-1", "invoice_issued", ("invoice-1", "invoice-2"), first_notification_id=41, dispatches=2)


def test_nothing_seen_is_nothing_ordered() -> None:
    assert orders_for(Seen(), NOW) == ()


def test_a_backlog_is_one_drain_named_after_its_oldest_row_and_the_minute() -> None:
    assert orders_for(Seen(backlogs=(BACKLOG,)), NOW) == (
        RunOrder(
            "process-xero-events/process-xero-events",
            "drain:tenant-1:7:2026-11-20T01:16",
            {"tenant_id": "tenant-1"},
            ("tenant:tenant-1",),
        ),
    )


def test_a_due_group_is_one_run_named_after_its_first_notification_and_its_dispatches() -> None:
    assert orders_for(Seen(due=(DUE,)), NOW) == (
        RunOrder(
            "invoice-issued/invoice-issued",
            "notify:invoice_issued:tenant-1:41:2",
            {"tenant_id": "tenant-1", "invoice_ids": ["invoice-1", "invoice-2"]},
            ("tenant:tenant-1", "invoice:invoice-1", "invoice:invoice-2"),
            DUE,
        ),
    )


def test_unknown_outcomes_are_one_settle_a_minute() -> None:
    settle = RunOrder("settle/settle", "settle:2026-11-20T01:16", {"asks_for_receipts": False})
    assert orders_for(Seen(settle_due=True), NOW) == (settle,)


def test_what_people_want_is_one_run_a_minute_that_tells_it_on() -> None:
    mirror = RunOrder(
        "mirror-preferences/mirror-preferences", "mirror:2026-11-20T01:16", {"everything": False}
    )
    assert orders_for(Seen(mirror_due=True), NOW) == (mirror,)


def test_a_second_dispatch_of_the_same_group_is_another_run() -> None:
    keys = {orders_for(Seen(due=(replace(DUE, dispatches=n),)), NOW)[0].idempotency_key for n in range(5)}
    assert len(keys) == 5


WORD = st.text("abc-", min_size=1, max_size=3)
BACKLOGS = st.builds(Backlog, WORD, st.integers(1, 9), st.integers(1, 9))
DUES = st.builds(
    DueRun, WORD, st.sampled_from(["invoice_issued", "invoice_overdue"]), st.tuples(WORD), st.integers(1, 9),
    st.integers(0, 9),
)  # fmt: skip


@given(
    backlogs=st.lists(BACKLOGS, unique_by=lambda one: one.tenant_id),
    dues=st.lists(DUES, unique_by=lambda one: (one.tenant_id, one.kind)),
    seconds=st.integers(0, 59),
    settle=st.booleans(),
)
def test_looks_within_a_minute_order_the_same_and_no_two_orders_share_a_key(
    backlogs: list[Backlog],
    dues: list[DueRun],
    seconds: int,
    *,
    settle: bool,
) -> None:
    minute = NOW.replace(second=0)
    seen = Seen(tuple(backlogs), tuple(dues), settle)
    orders = orders_for(seen, minute + timedelta(seconds=seconds))
    assert orders == orders_for(seen, minute)
    assert (
        len({order.idempotency_key for order in orders}) == len(orders) == len(backlogs) + len(dues) + settle
    )
