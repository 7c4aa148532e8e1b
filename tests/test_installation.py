"""The processes of an installation: restarted when they die, gone when it stops, and asked for only once."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from deployments.children import Child, Restarts, StopAsked, last_lines, stop_all, stop_signals
from deployments.installation import (
    DRAIN_SECONDS,
    REST_SECONDS,
    SERVER_SECONDS,
    WORK_SECONDS,
    Installation,
    running,
)
from duebell.errors import ConfigurationError
from duebell.settings import load
from tests.support_ports import free_port
from tests.support_prefect import ROOT, wait_until

SLEEPER = "import time; print('here', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True);"
    "time.sleep(600)"
)
WITH_A_CHILD = (
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "print(child.pid, flush=True); time.sleep(600)"
)
PARENT = """
import sys, time
from pathlib import Path
from deployments.children import Child
child = Child("child", [sys.executable, "-c", "import time; time.sleep(600)"], {}, Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""


def alive(pid: int) -> bool:
    """Whether the process still runs; one that ended and was not collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def settings_in(home: Path, listen: str) -> Installation:
    environment = {
        "DUEBELL_HOME": str(home),
        "DUEBELL_LISTEN": listen,
        "PREFECT_SERVER_API_PORT": str(free_port()),
    }
    return Installation(load(environment, env_file=None), environment, lambda _text: None, StopAsked())


@pytest.fixture
def children(tmp_path: Path) -> Generator[list[Child]]:
    """Children that are ended after the test, whatever became of it."""
    made: list[Child] = []
    yield made
    for child in made:
        child.stop(0.1)


def started(children: list[Child], logs: Path, program: str, name: str = "child") -> Child:
    """A child that runs ``program`` and has written its first line."""
    child = Child(name, [sys.executable, "-c", program], {}, logs)
    children.append(child)
    child.start()
    wait_until(lambda: last_lines(child.log), "the child runs")
    return child


def test_a_child_that_died_is_told_and_started_again(children: list[Child], tmp_path: Path) -> None:
    child = started(children, tmp_path, SLEEPER)
    first = child.pid
    assert first is not None
    assert child.watch() == ""
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: child.pid is None, "the child is dead")
    told = child.watch()
    assert "status -9" in told
    assert str(child.log) in told
    assert child.watch() == ""
    assert child.pid not in {None, first}


def test_a_child_that_does_not_last_is_started_again_later_each_time() -> None:
    starts: list[int] = []
    restarts = Restarts()
    assert restarts.look(lambda: starts.append(1))
    assert not restarts.look(lambda: starts.append(1))
    assert restarts.look(lambda: starts.append(2))
    assert not restarts.look(lambda: starts.append(2))
    assert starts == [1]


def test_a_child_that_ignores_sigterm_is_killed_beside_the_others(
    children: list[Child], tmp_path: Path
) -> None:
    pids = [started(children, tmp_path, STUBBORN, f"child-{n}").pid or 0 for n in range(3)]
    stop_all(children, 0.2)
    assert not any(alive(pid) for pid in pids)


def test_what_a_child_started_ends_with_it(children: list[Child], tmp_path: Path) -> None:
    child = started(children, tmp_path, WITH_A_CHILD)
    grandchild = int(last_lines(child.log))
    child.stop()
    wait_until(lambda: not alive(grandchild), "the grandchild is gone")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's tie to the parent is Linux's")
def test_a_child_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    wait_until(lambda: not alive(child), "the child is gone")


def test_logs_that_cannot_be_written_are_told_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    child = Child("child", [sys.executable, "-c", ""], {}, tmp_path / "file" / "logs")
    with pytest.raises(ConfigurationError, match="DUEBELL_HOME"):
        child.start()


def test_asking_to_stop_interrupts_once_and_never_the_stopping() -> None:
    stop = StopAsked()
    with pytest.raises(KeyboardInterrupt):
        stop.ask()
    stop.ask()
    assert stop.asked.is_set()


def test_asking_to_stop_what_runs_interrupts_nothing() -> None:
    stop = StopAsked()
    stop.abrupt = False
    stop.ask()
    assert stop.asked.is_set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_asks_to_stop_and_is_given_back_afterwards(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_signals() as stop:
        stop.abrupt = False
        os.kill(os.getpid(), number)
        wait_until(stop.asked.is_set, "the signal was heard")
    assert signal.getsignal(number) == before


def test_a_taken_receiver_port_is_named_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(ConfigurationError, match=f"{listen} .* DUEBELL_LISTEN"),
            running(settings_in(tmp_path, listen)),
        ):
            pass
    assert list(tmp_path.iterdir()) == []


def test_the_deadlines_of_stopping_leave_time_to_drain_and_end_within_ten_seconds() -> None:
    assert DRAIN_SECONDS < WORK_SECONDS
    assert WORK_SECONDS + SERVER_SECONDS + REST_SECONDS < 10


def test_an_address_that_is_not_this_machines_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"192\.0\.2\.1:8787 .* DUEBELL_LISTEN"),
        running(settings_in(tmp_path, "192.0.2.1:8787")),
    ):
        pass
