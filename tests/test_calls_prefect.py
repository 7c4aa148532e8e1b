"""Prefect's part in the calls: never more than five under way, and runs that end calmly."""

import threading
import time
from contextvars import copy_context
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import State, StateType
from prefect.states import Completed

from deployments.provision import FLIGHT_LIMIT, ensure_tenant_limits
from duebell.errors import Permanent, ReservedForMessages, TenantDisconnected, TenantParked
from tasks._prefect import ends_calmly, pace_of
from tests.support_prefect import LONGEST, RunningPrefect


def test_f028_no_more_than_five_calls_of_a_tenant_are_ever_under_way(prefect_server: RunningPrefect) -> None:
    tenant_id = str(uuid4())
    now, most, lock, two = 0, 0, threading.Lock(), threading.Event()

    def call() -> None:
        nonlocal now, most
        with pace_of(tenant_id)():
            with lock:
                now += 1
                most = max(most, now)
                if now == 2:
                    two.set()
            two.wait(LONGEST)
            time.sleep(0.5)
            with lock:
                now -= 1

    with prefect_server.settings():
        ensure_tenant_limits(tenant_id)
        threads = [threading.Thread(target=copy_context().run, args=(call,)) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * LONGEST)
    assert 2 <= most <= FLIGHT_LIMIT


UNTIL = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "state", "name"),
    [
        (TenantParked("used up", UNTIL), StateType.COMPLETED, "Parked until 2026-11-23 04:00 UTC"),
        (TenantParked("used up"), StateType.COMPLETED, "Parked"),
        (ReservedForMessages("few are left"), StateType.COMPLETED, "Reserved for messages"),
        (TenantDisconnected("403"), StateType.FAILED, "Not connected"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_run_that_xero_takes_no_calls_from_ends_as_that(
    error: Exception, state: StateType, name: str
) -> None:
    @ends_calmly
    def body(tenant_id: str) -> State[None]:
        """What it does."""
        raise error

    ended = body("a tenant")
    assert (ended.type, ended.name, ended.message) == (state, name, str(error))
    assert (body.__name__, body.__doc__) == ("body", "What it does.")


def test_what_a_run_comes_to_by_itself_is_left_as_it_is_and_so_is_a_mistake() -> None:
    told = Completed(name="Told")
    assert ends_calmly(lambda: told)() is told

    @ends_calmly
    def broken() -> State[None]:
        raise Permanent("400")

    with pytest.raises(Permanent):
        broken()
