"""Prefect's home with everything provisioned, made once a session and copied for each server that needs it.

Provisioning costs more than all else that a road starts, and every process of the session needs a road.
"""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deployments.children import ROOT, module
from deployments.prefect_server import PrefectServer
from duebell.errors import ConfigurationError

DONE = "provisioned"


def copy_provisioned(factory: pytest.TempPathFactory, home: Path, port: int) -> None:
    """Let ``home``, which is empty, hold what a stopped server has that was provisioned.

    The processes of a session share one original: the first to come makes it, and the others wait for it.
    """
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent  # of all the processes, where a process has its own folder in it
    original = shared / "prefect-original"
    with (shared / "prefect-original.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (original / DONE).exists():
            shutil.rmtree(original, ignore_errors=True)
            _make(original, port)
            (original / DONE).touch()
    shutil.copytree(original, home, dirs_exist_ok=True)


def wait_ready(server: PrefectServer) -> None:
    """Return when it answers; if it died, the error shows its last words: its folder may not be kept."""
    try:
        server.wait_ready()
    except ConfigurationError as error:
        error.add_note(server.log.read_text(errors="replace")[-4000:])
        raise


def _make(home: Path, port: int) -> None:
    server = _Unscheduled(home, port)
    server.start()
    try:
        wait_ready(server)
        run_once(server.client_environment(), "deployments.provision")
    finally:
        server.stop(patience=30.0)


class _Unscheduled(PrefectServer):
    """Makes no runs of what is scheduled: in a copy they would be late, the more the later it is used."""

    def environment(self) -> dict[str, str]:
        """The settings of the server; secrets are in it."""
        return {**super().environment(), "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false"}


def run_once(environment: dict[str, str], name: str, *options: str) -> None:
    """Run one of our modules to its end."""
    done = subprocess.run(
        module(name, *options),
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
