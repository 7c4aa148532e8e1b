"""Prefect's event stream, listened to for ever: it wakes the worker, and tells it of cancellations."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol
from uuid import UUID

import anyio
from prefect.events import Event
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter

RUN = "prefect.flow-run."
# AwaitingRetry is what the UI's retry button sets, Resuming what its resume button sets.
WORK = [RUN + "Scheduled", RUN + "AwaitingRetry", RUN + "Resuming"]
# "Change state" in the UI may set Cancelled at once, without Cancelling first.
CANCEL = [RUN + "Cancelling", RUN + "Cancelled"]
LONGEST_PAUSE = 10.0
CLOSE_SECONDS = 2.0


class Subscriber(Protocol):
    """An open stream of events."""

    async def __anext__(self) -> Event: ...


Subscribe = Callable[[EventFilter], AbstractAsyncContextManager[Subscriber]]


def subscribe_once(wanted: EventFilter) -> AbstractAsyncContextManager[Subscriber]:
    """Prefect's own subscriber, without its own reconnecting: it gives up after ten attempts, we do not."""
    return get_events_subscriber(filter=wanted, reconnection_attempts=0)


def filter_for(work_pool_id: UUID) -> EventFilter:
    """Everything about runs of this pool that the worker has to act on."""
    return EventFilter(
        event=EventNameFilter(name=[*WORK, *CANCEL]),
        any_resource=EventAnyResourceFilter(id=[f"prefect.work-pool.{work_pool_id}"]),
    )


def flow_run_id(event: Event) -> UUID:
    """The run that a ``prefect.flow-run.…`` event speaks of."""
    return UUID(event.resource.id.removeprefix(RUN))


@asynccontextmanager
async def _closing(stream: AbstractAsyncContextManager[Subscriber]) -> AsyncGenerator[Subscriber]:
    """The open stream, closed also when we are cancelled, where a close would not get to wait."""
    opened = await stream.__aenter__()
    try:
        yield opened
    finally:
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            await stream.__aexit__(None, None, None)


async def listen(
    wanted: EventFilter,
    heard: Callable[[Event | None], None],
    subscribe: Subscribe,
    logger: "logging.Logger | logging.LoggerAdapter[logging.Logger]",
) -> None:
    """Call ``heard`` for each event, and with ``None`` at each (re)connection; returns only when cancelled.

    What was sent while the stream was away is found by polling, so nothing here is a reason to fail.
    """
    failures = 0
    while True:
        try:
            async with _closing(subscribe(wanted.model_copy())) as stream:
                failures = 0
                heard(None)
                while True:
                    heard(await stream.__anext__())
        except Exception as error:  # noqa: BLE001 -- whatever breaks it, the answer is to reopen
            failures += 1
            pause = min(LONGEST_PAUSE, 0.25 * 2 ** min(failures, 8))
            logger.log(
                logging.WARNING if failures == 1 else logging.DEBUG,
                "Event stream lost (%s); polling meanwhile, next attempt in %.1f s",
                type(error).__name__,
                pause,
            )
            await anyio.sleep(pause)
