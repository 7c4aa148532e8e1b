"""What every task shares with Prefect: which failures are tried again, the pace, and its own run."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, StateType
from prefect.concurrency.sync import concurrency, rate_limit
from prefect.futures import PrefectFuture, PrefectFutureList, as_completed
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task, exponential_backoff

from duebell.books.access import XeroAccess
from duebell.books.calls import Purpose, utc
from duebell.errors import Postponed, ReservedForMessages, TenantDisconnected, TenantParked, Transient
from duebell.prefect_names import CONSENT_LIMIT, flight_limit_name, rate_limit_name
from duebell.render.values import one_line
from duebell.resources import resources
from duebell.settling.rounds import Asked
from duebell.settling.settling import Settled
from duebell.showing import run_names
from duebell.showing.ended import Ended
from duebell.xero.asking import Pace

P = ParamSpec("P")
T = TypeVar("T")


def transient(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Whether a failed task is tried again: only where the same call may succeed later.

    A transport error can only be Prefect's own server being away: those of Xero and Twilio are ours by then,
    and a POST to Twilio ends in an outcome, never in an error. What is postponed waits for longer than that.
    """
    error = state.result(raise_on_failure=False)
    return isinstance(error, Transient | httpx.TransportError) and not isinstance(error, Postponed)


RETRYING: dict[str, Any] = {
    "retries": 4,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": transient,
}
"""2, 4, 8 and 16 seconds, each with up to half as much again, and only on ``Transient``."""

RETRYING_ONCE: dict[str, Any] = RETRYING | {"retries": 1}
"""After 2 seconds, for what stays due and is looked at again within a minute or an hour by itself: where
Twilio cannot be asked about hundreds, the run that asks must not keep its place from the last looks for long.
"""

FEW_AT_ONCE = cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner[Any](max_workers=4))
"""How many messages of one run are posted side by side: Twilio bounds its concurrent requests by account."""

MANY_AT_ONCE = cast("TaskRunner[PrefectFuture[Any]]", ThreadPoolTaskRunner[Any](max_workers=32))
"""How much one run looks at side by side. Each may try again for most of a minute where a provider is away,
and the last looks before a message goes out must not wait for that; unbounded, hundreds would ask at once.
"""


def completed(futures: PrefectFutureList[T]) -> Generator[T]:
    """The results of those that completed, as they come; one that failed holds up no other."""
    for one in as_completed(futures):
        one.wait()  # it is over, but only this brings its state along
        if one.state.is_completed():
            yield one.result()


def outcomes(futures: PrefectFutureList[Settled]) -> Asked:
    """What a round of looks came to, once all of them are over."""
    settled = tuple(completed(futures))
    return Asked(settled, failed=len(futures) - len(settled))


def looks_by(task: Task[[T], Settled]) -> Callable[[Sequence[T]], Sequence[Settled]]:
    """How a portion is looked at side by side; what failed of it is left out."""
    return lambda some: list(completed(task.map(some)))


def failed_of(states: Iterable[State[Any]]) -> int:
    """How many of these steps did not complete."""
    return sum(not state.is_completed() for state in states)


def state_of(ended: Ended) -> State[None]:
    """The end of a run as the state that it returns."""
    return (Completed if ended.sound else Failed)(name=ended.name, message=ended.message)


def pace_of(tenant_id: str) -> Pace:
    """The tenant's share of Xero's limits, as Prefect's global limits hold it for every worker together.

    Strict: without it a limit that is missing would be skipped in silence.
    """

    @contextmanager
    def pace() -> Generator[None]:
        rate_limit(rate_limit_name(tenant_id), strict=True)
        with concurrency(flight_limit_name(tenant_id), strict=True):
            yield

    return pace


def pace_of_consents() -> None:
    """Wait for a turn at Twilio's Consent API, which takes 100 requests a minute."""
    rate_limit(CONSENT_LIMIT, strict=True)


def access_to(tenant_id: str, purpose: Purpose) -> XeroAccess:
    """The way into a tenant, for the run that asks, and for what its calls are counted as."""
    return XeroAccess(resources(), tenant_id, pace_of(tenant_id), own_run_id() or "by hand", purpose)


def ends_calmly(flow_body: Callable[P, State[None]]) -> Callable[P, State[None]]:
    """Below ``@flow``: a run that Xero takes no calls from for now ends as that, and not as failed.

    What it was about stays in the ledger; the receiver's net starts it again when its time has come. Only a
    tenant that was found disconnected fails, for a person has to connect it.
    """

    @wraps(flow_body)
    def body(*args: P.args, **kwargs: P.kwargs) -> State[None]:
        try:
            return flow_body(*args, **kwargs)
        except TenantParked as parked:
            until = f" until {utc(parked.until)}" if parked.until else ""
            return Completed(name=f"Parked{until}", message=str(parked))
        except ReservedForMessages as reserved:
            return Completed(name="Reserved for messages", message=str(reserved))
        except TenantDisconnected as closed:
            return Failed(name="Not connected", message=str(closed))

    return body


def own_run_id() -> str | None:
    """The id of the flow run that this is part of."""
    run_id = flow_run.get_id()
    return str(run_id) if run_id else None


def is_cancelled() -> bool:
    """Whether a person has cancelled the run meanwhile: in a warm process it does not stop by itself."""
    run_id = own_run_id()
    if run_id is None:
        return False
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(run_id)).state
    return state is not None and state.type in {StateType.CANCELLING, StateType.CANCELLED}


def is_by_person() -> bool:
    """Whether a person started this run, or retried it.

    What starts runs by itself (the drain, the net, a schedule, an automation) gives each a parent or a key.
    """
    run_id = own_run_id()
    if run_id is None:
        return True
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(run_id))
    return run.run_count > 1 or (run.idempotency_key is None and run.parent_task_run_id is None)


def named(what: str, parameter: str = "") -> Callable[[], str]:
    """For ``flow_run_name``: what a run does, and about which ids of this parameter, or else at which time.

    Prefect asks for it as the run starts: one that still waits, or never starts, keeps the name it was made
    with.
    """

    def name() -> str:
        ids = cast("list[str] | None", flow_run.get_parameters().get(parameter))
        return run_names.of_those(what, ids, flow_run.get_scheduled_start_time())

    return name


def named_as_replay() -> str:
    """The same for a replay: its invoices as a person named them, or its period."""
    asked = flow_run.get_parameters()
    return run_names.of_replay(
        str(asked["tenant_id"]), asked.get("invoices"), asked.get("since"), asked.get("until")
    )


def label_run(tenant_id: str, numbers: list[str]) -> None:
    """Name the own run after its invoices and tag it with them, so that it can be found in the UI."""
    run_id = own_run_id()
    if run_id is None or not numbers:
        return
    kind = (flow_run.get_flow_name() or "").replace("_", "-")
    tags = tags_of(tenant_id, numbers)
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(UUID(run_id))
        name = run_name(kind, numbers)
        if run.name != name or not set(tags) <= set(run.tags):
            client.update_flow_run(run.id, name=name, tags=[*dict.fromkeys([*run.tags, *tags])])


def run_name(kind: str, numbers: list[str]) -> str:
    """``invoice-issued INV-0042``, or ``invoice-issued INV-0042 and 3 more``."""
    more = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
    return f"{kind} {one_line(numbers[0])}{more}"


def tags_of(tenant_id: str, numbers: Sequence[str]) -> list[str]:
    """By what a run is found in the UI."""
    return [f"tenant:{tenant_id}", *(f"invoice:{one_line(number)}" for number in numbers)]
