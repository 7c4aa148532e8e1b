"""How the sandbox's webhooks go astray: lost, doubled, out of order, late, held back and replayed."""

from collections.abc import Generator, Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.sandbox import credentials as known
from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_types import Disorder, Event
from deployments.sandbox.server import running_sandbox
from deployments.sandbox.webhook_disorder import Bundle, Numbered, arranged
from tests.support_prefect import wait_until
from tests.support_sandbox import Listener, contact_id, listening

CAFE = "Aro Street Cafe"
SHARES = st.sampled_from([0.0, 0.3, 1.0])


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as state:
        yield state


@pytest.fixture(scope="module")
def running() -> Generator[SandboxControl]:
    with running_sandbox(SandboxSettings(callback_step_seconds=0.005)) as control:
        yield control


@pytest.fixture
def sandbox(running: SandboxControl, listener: Listener) -> SandboxControl:
    running.reset()
    running.settings(webhook_url=listener.url)
    return running


def issue(sandbox: SandboxControl, count: int) -> list[str]:
    customer = contact_id(sandbox, CAFE)
    return [sandbox.add_invoice(customer, "1.00").invoice_id for _ in range(count)]


def heard_ids(listener: Listener) -> list[list[str]]:
    return [[event["resourceId"] for event in one.json()["events"]] for one in listener.heard]


def spans(listener: Listener) -> list[tuple[int, int]]:
    bodies = [one.json() for one in listener.heard]
    return [(body["firstEventSequence"], body["lastEventSequence"]) for body in bodies]


def an_event(number: int, category: str = "INVOICE") -> Numbered:
    return Numbered(number, Event("t", category, "UPDATE", f"id-{number}", "2031-05-06T00:00:00.000"))


def going_out(events: list[Numbered], disorder: Disorder) -> list[Bundle]:
    return arranged(events, disorder, Random(disorder.seed))  # noqa: S311 - chance for play


@given(
    events=st.integers(0, 12).map(lambda count: [an_event(n) for n in range(count)]),
    seed=st.integers(0, 99),
    lost=SHARES,
    twice=SHARES,
    shuffled=st.booleans(),
    batch=st.integers(1, 5),
)
def test_a_disorder_happens_again_from_its_seed_and_invents_nothing(
    *, events: list[Numbered], seed: int, lost: float, twice: float, shuffled: bool, batch: int
) -> None:
    disorder = Disorder(seed, lost, twice, shuffled=shuffled, batch=batch)
    bundles = going_out(events, disorder)
    assert bundles == going_out(events, disorder)
    first = [event.resource_id for one in bundles if not one.again for event in one.events]
    assert len(set(first)) == len(first)
    assert set(first) <= {one.event.resource_id for one in events}
    assert lost or len(first) == len(events)
    assert lost < 1.0 or not first
    assert all(len(one.events) <= batch for one in bundles)
    assert shuffled or first == sorted(first, key=lambda one: int(one[3:]))
    again = [one for one in bundles if one.again]
    assert twice < 1.0 or len(again) * 2 == len(bundles)
    for place, one in enumerate(bundles):
        if one.again:
            assert one.events in [earlier.events for earlier in bundles[:place] if not earlier.again]


def test_only_what_matches_the_globs_is_lost() -> None:
    events = [an_event(1), an_event(2, "CONTACT"), an_event(3)]
    for disorder, kept in (
        (Disorder(lost=1.0, category="CONTACT"), [1, 3]),
        (Disorder(lost=1.0, resource_id="id-1"), [2, 3]),
        (Disorder(lost=1.0), []),
    ):
        out = going_out(events, disorder)
        assert [one.first for one in out] == ([kept[0]] if kept else [])
        assert [event.resource_id for one in out for event in one.events] == [f"id-{n}" for n in kept]


def test_a_lost_event_leaves_a_gap_in_the_sequence(sandbox: SandboxControl, listener: Listener) -> None:
    sandbox.settings(webhook_disorder=Disorder(lost=1.0))
    issue(sandbox, 2)
    sandbox.settings(webhook_disorder=Disorder())
    issue(sandbox, 1)
    assert sandbox.settle()
    assert spans(listener) == [(3, 3)]
    assert len(sandbox.events()) == 3


def test_events_that_ring_within_the_window_go_out_in_one_post(
    sandbox: SandboxControl, listener: Listener
) -> None:
    sandbox.settings(webhook_gather_seconds=60)
    ids = issue(sandbox, 5)
    assert listener.heard == []
    sandbox.shift_clock(61)
    assert sandbox.settle()
    assert heard_ids(listener) == [ids]
    assert spans(listener) == [(1, 5)]


def test_a_gathered_burst_is_cut_into_batches_and_shuffled_the_same_way_each_time(
    sandbox: SandboxControl, listener: Listener
) -> None:
    def burst() -> list[tuple[int, int]]:
        listener.heard.clear()
        sandbox.reset()
        disorder = Disorder(seed=5, shuffled=True, twice=0.5, batch=2)
        sandbox.settings(webhook_url=listener.url, webhook_gather_seconds=60, webhook_disorder=disorder)
        issue(sandbox, 7)
        sandbox.shift_clock(61)
        assert sandbox.settle()
        return spans(listener)

    first = burst()
    assert burst() == first
    assert first != sorted(first)
    assert max(len(ids) for ids in heard_ids(listener)) == 2
    kinds = [delivery.kind for delivery in sandbox.deliveries()]
    assert set(kinds) == {"events", "redelivery"}
    entropies = [one.json()["entropy"] for one in listener.heard]
    assert len(set(entropies)) == len(entropies)


def test_deliveries_that_take_their_time_overtake_each_other(
    sandbox: SandboxControl, listener: Listener
) -> None:
    sandbox.settings(webhook_delay_seconds=2.0, webhook_disorder=Disorder(seed=3))
    ids = issue(sandbox, 8)
    assert sandbox.settle()
    arrived = [one for delivery in heard_ids(listener) for one in delivery]
    assert sorted(arrived) == sorted(ids)
    assert arrived != ids


def test_what_was_withheld_is_let_out_in_any_disorder(sandbox: SandboxControl, listener: Listener) -> None:
    sandbox.settings(webhooks_automatic=False)
    ids = issue(sandbox, 4)
    assert sandbox.let_out(Disorder(seed=1, shuffled=True, batch=1)) == 4
    assert sandbox.settle()
    arrived = [one for delivery in heard_ids(listener) for one in delivery]
    assert sorted(arrived) == sorted(ids)
    assert arrived != ids
    assert sandbox.let_out() == 0


def test_an_event_of_an_unheard_of_category_goes_out_as_it_is_told(
    sandbox: SandboxControl, listener: Listener
) -> None:
    told = {"Type": "NEW", "Status": "AUTHORISED"}
    sandbox.deliver([Event(known.TENANT_ID, "PAYMENT", "Update", "p-1", "2031-05-06T00:00:00.000", told)])
    assert sandbox.settle()
    (event,) = listener.heard[0].json()["events"]
    assert (event["eventCategory"], event["eventType"], event["data"]) == ("PAYMENT", "Update", told)


def test_invoices_carry_no_data_and_credits_do(sandbox: SandboxControl, listener: Listener) -> None:
    issue(sandbox, 1)
    sandbox.add_credit("PREPAYMENT", contact_id(sandbox, CAFE), "5.00")
    assert sandbox.settle()
    invoice, credit = (one.json()["events"][0] for one in listener.heard)
    assert "data" not in invoice
    assert credit["data"]["Type"] == "RECEIVE-PREPAYMENT"
    assert credit["resourceUrl"].endswith(f"/Prepayments/{credit['resourceId']}")


def test_a_failing_receiver_holds_everything_back_and_a_retry_replays_it_in_order(
    sandbox: SandboxControl, listener: Listener
) -> None:
    sandbox.settings(webhook_retry_seconds=900)
    listener.down = True
    issue(sandbox, 3)
    assert sandbox.settle()
    # One delivery and its immediate retry; the later two are not even tried.
    assert spans(listener) == [(1, 1), (1, 1)]
    assert (sandbox.subscription().state, sandbox.subscription().held) == ("RETRY", 3)
    sandbox.shift_clock(901)
    wait_until(lambda: len(listener.heard) == 4, "the retry failed twice more")
    listener.down = False
    issue(sandbox, 1)
    listener.heard.clear()
    sandbox.shift_clock(901)
    wait_until(lambda: sandbox.subscription().state == "OK", "the retry succeeded")
    assert spans(listener) == [(1, 1), (2, 2), (3, 3), (4, 4)]
    issue(sandbox, 1)
    assert sandbox.settle()
    assert spans(listener)[-1] == (5, 5)


def test_a_subscription_that_failed_for_a_day_is_disabled_until_a_person_enables_it(
    sandbox: SandboxControl, listener: Listener
) -> None:
    sandbox.settings(webhook_retry_seconds=0.02, webhook_give_up_seconds=86_400, webhook_retries=0)
    listener.down = True
    issue(sandbox, 2)
    wait_until(lambda: sandbox.subscription().state == "RETRY", "the first delivery has failed")
    sandbox.shift_clock(86_401)
    wait_until(lambda: sandbox.subscription().state == "DISABLED", "it is disabled")
    listener.down = False
    tried = len(listener.heard)
    issue(sandbox, 1)
    sandbox.shift_clock(3600)
    assert sandbox.settle()
    assert (len(listener.heard), sandbox.subscription().held) == (tried, 3)
    assert not sandbox.enable_webhook().passed
    assert sandbox.subscription().state == "DISABLED"
    listener.check_key = known.XERO_WEBHOOK_KEY
    listener.heard.clear()
    assert sandbox.enable_webhook().passed
    assert sandbox.settle()
    assert [span for span in spans(listener) if span != (0, 0)] == [(1, 1), (2, 2), (3, 3)]
    assert sandbox.subscription().state == "OK"


def test_what_waited_for_longer_than_a_month_is_gone(sandbox: SandboxControl, listener: Listener) -> None:
    sandbox.settings(webhook_retry_seconds=0.02, webhook_give_up_seconds=0.0, webhook_retries=0)
    listener.down = True
    issue(sandbox, 1)
    wait_until(lambda: sandbox.subscription().state == "DISABLED", "it is disabled")
    sandbox.shift_clock(20 * 86_400)
    issue(sandbox, 1)
    assert sandbox.settle()
    sandbox.shift_clock(12 * 86_400)
    listener.down, listener.check_key = False, known.XERO_WEBHOOK_KEY
    listener.heard.clear()
    assert sandbox.enable_webhook().passed
    assert [span for span in spans(listener) if span != (0, 0)] == [(2, 2)]
    assert sandbox.subscription().held == 0
