"""The worker's process: ``python -m deployments.worker``, with Prefect's address in the environment."""

import argparse
import fcntl
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager

import anyio
from prefect.exceptions import PrefectHTTPStatusError
from prefect.logging.handlers import APILogHandler
from prefect.settings import get_current_settings

from deployments import worker_net
from deployments.opening import ledger_in_words
from deployments.worker_warm import WarmWorker
from duebell.errors import ConfigurationError
from duebell.prefect_names import WORK_POOL
from duebell.resources import Resources, open_resources, using
from duebell.safekeeping.quarantine import compare
from duebell.settings import load
from duebell.visible import visible

__all__ = ["WarmWorker", "main", "serve_until_signalled"]

UNFINISHED = 3  # exit status: the drain was over before the runs were
FINISHES_WITHIN = 20.0
"""Seconds that runs get to finish in at a stop, where nobody says otherwise."""


async def serve_until_signalled(worker: WarmWorker, drain_seconds: float) -> bool:
    """Run flows until SIGTERM or SIGINT, then drain; a second signal ends the drain at once.

    Returns whether every run finished. Installing the handlers here also makes a process stoppable that was
    started in the background of a shell, where SIGINT arrives ignored.
    """
    stop, finished = anyio.Event(), False
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with anyio.create_task_group() as group:

            async def stop_when_signalled() -> None:
                async for _ in signals:
                    if stop.is_set():
                        worker.stop_waiting()
                    stop.set()

            group.start_soon(stop_when_signalled)
            finished = await worker.serve(stop, drain_seconds)
            group.cancel_scope.cancel()
    return finished


class PlainRecord(logging.LogRecord):
    """A record in which nothing acts on the terminal, or on whoever reads Prefect's logs."""

    def getMessage(self) -> str:  # noqa: N802 -- the name of what it stands in for
        """The message, with what others wrote shown as what it is."""
        return visible(super().getMessage())


@contextmanager
def only_one(name: str) -> Generator[None]:
    """Hold the name for this process: a second worker of the same name would end the runs of the first.

    Raises ConfigurationError when another process on this machine has it.
    """
    home = get_current_settings().home
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"worker-{re.sub(r'[^A-Za-z0-9_.-]', '-', name)}.lock").open("w") as lock:
        try:
            # The kernel lets go of it however the process ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigurationError(f"a worker named {name!r} runs already: give this one --name") from error
        yield


@contextmanager
def opened() -> Generator[Resources]:
    """What runs work with, compared with the side journal, and the safety net under it."""
    with closing(open_resources(load())) as resources:
        with ledger_in_words():
            compare(resources)
        with worker_net.under(resources):
            yield resources


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the worker; returns the exit status. Prefect's address and key are read from the environment."""
    options = _parser().parse_args(arguments)
    if not get_current_settings().api.url:
        sys.stderr.write("PREFECT_API_URL is not set: it says where Prefect's server is\n")
        return 1
    logging.setLogRecordFactory(PlainRecord)
    try:
        with only_one(options.name), opened() as resources:
            worker = WarmWorker(
                options.pool,
                name=options.name,
                # A ContextVar set here reaches the flow and its tasks, ``.submit()`` and ``.map()`` too.
                around_run=lambda: using(resources),
                limit=options.limit,
                poll_seconds=options.poll_seconds,
            )
            finished = anyio.run(serve_until_signalled, worker, options.drain_seconds)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except PrefectHTTPStatusError as error:
        status = error.response.status_code
        sys.stderr.write(f"Prefect answered {status}: check PREFECT_API_URL and PREFECT_API_AUTH_STRING\n")
        return 1
    if not finished:
        _leave_at_once()
    return 0


def _leave_at_once() -> None:
    """End the process although a flow's thread is still alive: the interpreter would wait for it for ever."""
    APILogHandler.flush(APILogHandler())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(UNFINISHED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deployments.worker",
        description="Runs Duebell's flows in this process.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    name = f"duebell-{socket.gethostname()}"
    parser.add_argument("--pool", default=WORK_POOL, help="the work pool")
    parser.add_argument("--name", default=name, help="stays the same over restarts; one process a name")
    parser.add_argument("--limit", type=int, default=8, help="runs at once")
    parser.add_argument("--poll-seconds", type=float, default=3.0, help="how often to look without an event")
    parser.add_argument(
        "--drain-seconds", type=float, default=FINISHES_WITHIN, help="what runs get to finish at a stop"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
