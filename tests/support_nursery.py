"""Workers that start fast: forked off a process that has loaded all of their modules.

Each is the real worker from its ``main`` on. An interpreter that loads Prefect takes seconds of a processor,
which over a hundred kills are most of the time, and show nothing.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from deployments import worker
from deployments.children import ROOT, module
from deployments.worker_flows import FlowCache


class Nursery:
    """The process that forks workers; they end with it."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log

    def start(self, *arguments: str, **environment: str) -> int:
        """Start a worker with these arguments and further variables; returns its process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"arguments": arguments, "environment": environment, "log": str(self._log)}
        self._process.stdin.write(f"{json.dumps(order)}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def nursery(environment: Mapping[str, str], log: Path) -> Generator[Nursery]:
    """A nursery whose workers see this environment beside our own, and write to ``log``."""
    with subprocess.Popen(
        module("tests.support_nursery"),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Nursery(process, log)
        finally:
            process.kill()


def lives(pid: int) -> bool:
    """Whether a worker has not ended; the nursery leaves no zombies."""
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def kill(pid: int) -> None:
    """Kill a worker with SIGKILL, and return once it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    while lives(pid):
        time.sleep(0.01)


def _fork_at_every_line() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    flows = FlowCache(ROOT)
    for path in sorted((ROOT / "flows").glob("[a-z]*.py")):
        flows.load(f"flows/{path.name}:{path.stem}")
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _work(json.loads(line))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _work(order: Mapping[str, Any]) -> None:
    """Be a worker; never returns into what it was forked from."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # it ends with the nursery, see ``tied_to_parent``
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for ours, theirs in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
            os.dup2(ours, theirs)
        os.environ.update(order["environment"])
        status = worker.main(order["arguments"])
    finally:
        os._exit(status)


if __name__ == "__main__":
    _fork_at_every_line()
