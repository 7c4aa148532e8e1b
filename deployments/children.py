"""The processes that make up an installation: started in order, watched, and stopped without orphans."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from deployments.prefect_server import end_group, tied_to_parent
from duebell.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[1]
"""The root of the checkout: flows are found from here, so every process runs here."""

LONGEST_PAUSE = 30.0
HEALTHY = 60.0
"""Seconds after which a process that was started again counts as sound."""

ASKED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a supervisor, and a terminal that is closed."""


class Restarts:
    """When a process that died is started again: at once, and later each time that it does not last."""

    def __init__(self) -> None:
        self._deaths = 0
        self._started_at = time.monotonic()
        self._again_at: float | None = None

    def look(self, start: Callable[[], None]) -> bool:
        """To be called while the process is dead; returns whether its death is news."""
        now = time.monotonic()
        if self._again_at is None:
            self._deaths = 0 if now - self._started_at > HEALTHY else self._deaths
            self._again_at = now + min(2.0**self._deaths - 1, LONGEST_PAUSE)
            self._deaths += 1
            return True
        if now >= self._again_at:
            self._again_at, self._started_at = None, now
            start()
        return False


@dataclass
class Child:
    """One process of ours, in a process group of its own, with its log.

    ``answers``: it ends by itself, and what it writes to standard output is its answer, kept apart.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    logs: Path
    answers: bool = False
    _process: "subprocess.Popen[bytes] | None" = None
    _restarts: Restarts = field(default_factory=Restarts)

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.logs / f"{self.name}.log"

    @property
    def answer(self) -> Path:
        """Where its standard output goes, if that is its answer."""
        return self.logs / f"{self.name}.out"

    @property
    def pid(self) -> int | None:
        """Its process id, if it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def status(self) -> int | None:
        """Its exit status, once it ended."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it; from the main thread, whose end the kernel answers by ending the child.

        Raises ``ConfigurationError`` where its log cannot be written.
        """
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            log = self.log.open("wb" if self.answers else "ab")
            output = self.answer.open("wb") if self.answers else log
        except OSError as error:
            raise ConfigurationError(
                f"{self.logs} cannot be written ({error.strerror}): set DUEBELL_HOME to a folder that this "
                "user may write to"
            ) from error
        with log, output:
            self._process = subprocess.Popen(
                tied_to_parent(self.command),
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                start_new_session=True,
            )

    def watch(self) -> str:
        """Start it again if it died, later each time; returns what a person is to know of it."""
        if self._process is None or self.pid is not None:
            return ""
        status = self.status
        if self._restarts.look(self.start):
            return f"{self.name} ended with status {status} and is started again: see {self.log}"
        return ""

    def ask_to_end(self) -> None:
        """SIGTERM to it and to everything that it started; does not wait."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)

    def stop(self, patience: float = 8.0) -> None:
        """End it and everything that it started: SIGTERM, then SIGKILL after ``patience`` seconds."""
        process, self._process = self._process, None
        if process is not None:
            end_group(process, patience)


def stop_all(children: Sequence[Child], patience: float) -> None:
    """End them side by side, all of them within ``patience`` seconds."""
    until = time.monotonic() + patience
    for child in children:
        child.ask_to_end()
    for child in children:
        child.stop(max(until - time.monotonic(), 0.0))


class StopAsked:
    """Whether somebody asked to stop. While ``abrupt``, asking raises ``KeyboardInterrupt`` at that moment.

    It is raised once: whoever presses Ctrl-C again must not interrupt the stopping.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.abrupt = True

    def ask(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """What a signal does."""
        first = not self.asked.is_set()
        self.asked.set()
        if first and self.abrupt:
            raise KeyboardInterrupt


@contextmanager
def stop_signals() -> Generator[StopAsked]:
    """From here on SIGINT, SIGTERM and SIGHUP ask to stop."""
    stop = StopAsked()
    before = {number: signal.signal(number, stop.ask) for number in ASKED_BY}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs one of our modules with this interpreter."""
    return [sys.executable, "-m", name, *arguments]


def last_lines(path: Path, count: int = 8) -> str:
    """The end of a log, for a message about why its process died."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return ""
