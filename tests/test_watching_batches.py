"""Of much that Twilio holds, a few are decided on at a time: what goes out first waits for no other."""

from datetime import timedelta

from duebell.ledger.scheduled import Held
from duebell.settling.watching import AT_ONCE, Batch, batches
from tests.support_facts import NOW


def held(number: int, tenant: str = "kauri") -> Held:
    send_at = NOW + timedelta(seconds=number)
    return Held(
        attempt_id=f"attempt {number}",
        notification_id=number,
        tenant_id=tenant,
        kind="invoice_issued",
        sid=f"SM{number}",
        send_at=send_at,
        cancel_why="",
        doubtful=False,
    )


def numbers(batch: Batch) -> list[int]:
    return [one.notification_id for one in (*batch.held, *batch.gone)]


def test_a_batch_is_what_one_call_to_xero_reads_and_the_soonest_to_go_out_come_first() -> None:
    many = [held(number) for number in range(120)]
    assert [len(one.held) for one in batches(many)] == [AT_ONCE, AT_ONCE, 120 - 2 * AT_ONCE]
    assert [number for one in batches(many) for number in numbers(one)] == list(range(120))


def test_a_few_of_one_organisation_do_not_wait_for_the_many_of_another() -> None:
    many = [held(number) for number in range(120)]
    few = [held(70, "moa"), held(140, "moa")]
    by_time = sorted([*many, *few], key=lambda one: one.send_at)
    assert [(one.tenant_id, numbers(one)[0]) for one in batches(by_time)] == [
        ("kauri", 0),
        ("kauri", 50),
        ("moa", 70),
        ("kauri", 100),
    ]


def test_what_was_taken_back_is_looked_for_last() -> None:
    [first, *others] = batches([held(9)], [held(number) for number in range(60)])
    assert (numbers(first), first.gone) == ([9], ())
    assert [(one.held, len(one.gone)) for one in others] == [((), AT_ONCE), ((), 60 - AT_ONCE)]


def test_where_twilio_holds_nothing_there_is_nothing_to_decide_on() -> None:
    assert batches([]) == []
