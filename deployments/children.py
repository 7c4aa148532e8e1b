"""The processes that make up an installation: started in order, watched, and stopped without orphans."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deployments.prefect_server import end_group, tied_to_parent

log = logging.getLogger("duebell.up")

ROOT = Path(__file__).resolve().parents[1]
"""The root of the checkout: flows are found from here, so every process runs here."""

LONGEST_PAUSE = 30.0


@dataclass
class Child:
    """One process of ours, with its log. It is started again when it dies."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    logs: Path
    patience: float = 8.0
    _process: "subprocess.Popen[bytes] | None" = None
    _deaths: int = 0
    _again_at: float = 0.0

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.logs / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Its process id, if it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start it; from the main thread, whose end the kernel answers by ending the child."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                tied_to_parent(self.command),
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def watch(self) -> None:
        """Start it again if it died, later each time."""
        if self._process is None or self._process.poll() is None:
            return
        now = time.monotonic()
        if not self._again_at:
            pause = min(2.0**self._deaths - 1, LONGEST_PAUSE)
            self._deaths, self._again_at = self._deaths + 1, now + pause
            log.warning("%s ended with status %s: see %s", self.name, self._process.returncode, self.log)
        if now >= self._again_at:
            self._again_at = 0.0
            self.start()

    def stop(self) -> None:
        """End it and everything that it started."""
        process, self._process = self._process, None
        if process is not None:
            end_group(process, self.patience)


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs one of our modules with this interpreter."""
    return [sys.executable, "-m", name, *arguments]


def last_lines(path: Path, count: int = 8) -> str:
    """The end of a log, for a message about why its process died."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return ""
