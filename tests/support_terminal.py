"""A pseudo-terminal for the commands, and what runs on this machine because of them."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.support_prefect import ROOT

LONGEST = 600.0
"""Seconds for a whole demo on a machine that is busy with other things."""

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """``duebell`` in a pseudo-terminal of 80 columns, and what it has printed."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self._printed = bytearray()
        self._end, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKES_THE_TERMINAL, *words],
            cwd=ROOT,
            env={**environment, "TERM": "xterm", "COLUMNS": "80"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                select.select([self._end], [], [])
                piece = os.read(self._end, 65536)
            except OSError:  # nobody has the other end any more
                return
            if not piece:
                return
            self._printed += piece

    @property
    def text(self) -> str:
        """Everything so far, without colours."""
        return ESCAPES.sub("", self._printed.decode(errors="replace")).replace("\r", "")

    def press_ctrl_c(self) -> None:
        """What the terminal makes of it: SIGINT to the whole foreground group."""
        os.write(self._end, b"\x03")

    def wait(self, seconds: float = LONGEST) -> int:
        """The exit status."""
        status = self.process.wait(seconds)
        self._reader.join(5)
        return status

    def close(self) -> None:
        """End it, whatever became of the test."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._reader.join(5)
        os.close(self._end)


# A session leader without a controlling terminal would get no SIGINT from Ctrl-C.
TAKES_THE_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.argv = ["duebell", *sys.argv[1:]]
from deployments.cli import app
app()
"""


@contextmanager
def terminal(environment: dict[str, str], *words: str) -> Generator[Terminal]:
    opened = Terminal(list(words), environment)
    try:
        yield opened
    finally:
        opened.close()


def processes_of(home: Path) -> list[int]:
    """Every process whose variables name the demo's home: its own, its children and theirs."""
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = (entry / "environ").read_bytes()
        except OSError:
            continue
        if str(home).encode() in variables:
            found.append(int(entry.name))
    return found
