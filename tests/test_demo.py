"""The demo as a newcomer runs it: in a terminal, to its end, twice, and with Ctrl-C."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from deployments.demo import MARK, fresh_home, without_live
from duebell.errors import ConfigurationError
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Attempt, Notification, XeroEvent
from tests.support_ports import free_port
from tests.support_prefect import ROOT, wait_until
from tests.support_terminal import LONGEST, processes_of, terminal


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two runs share it, as a newcomer's two runs do."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {
        **kept,
        "DUEBELL_HOME": str(home),
        "DUEBELL_LISTEN": f"127.0.0.1:{free_port()}",
        "PREFECT_SERVER_API_PORT": str(free_port()),
        # A live installation's variables, which the demo must not see.
        "DUEBELL_DATABASE_URL": "postgresql+psycopg://live@127.0.0.1:1/live",
        "DUEBELL_SENDING": "review",
        "PREFECT_API_URL": "http://127.0.0.1:1/api",
    }


def outcome(home: Path) -> tuple[list[str], int, int]:
    """The states of all notifications, how many calls to Twilio there were, and how many events."""
    engine = open_ledger(f"sqlite:///{home / 'demo' / 'duebell.db'}")
    try:
        assert broken(engine) == []
        with reading(engine) as session:
            states = list(session.exec(select(Notification.state)).all())
            return (
                states,
                len(session.exec(select(Attempt)).all()),
                # A poll, which comes every quarter of an hour, may have found the same by itself.
                len(session.exec(select(XeroEvent).where(XeroEvent.found_by == "webhook")).all()),
            )
    finally:
        engine.dispose()


def assert_told(text: str) -> None:
    """The story's lines are there, each once and in order."""
    places = [
        text.index(line)
        for line in (
            "is approved in sandbox Xero",
            "the signed webhook is answered 200",
            "Twilio accepted SM",
            "invoice INV-1001 for",
            "receipt sending",
            "receipt sent ",
            "receipt delivered",
            "same webhook 5 times more: answered 200, no new event, 1 SMS in all",
            "Event to accepted SMS: ",
        )
    ]
    assert places == sorted(places)
    assert text.count("receipt ") == 3
    assert "nothing more was sent" in text
    assert max(len(line) for line in text.splitlines()) <= 80


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.timeout(1_800)
def test_the_demo_tells_its_story_and_leaves_nothing_behind(home: Path, environment: dict[str, str]) -> None:
    with terminal(environment, "demo", "--once") as shown:
        assert shown.wait() == 0, shown.text
        assert_told(shown.text)
    assert outcome(home) == (["delivered"], 1, 2)
    assert processes_of(home) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.timeout(1_800)
def test_a_second_demo_stays_up_until_ctrl_c_and_then_leaves_nothing_behind(
    home: Path, environment: dict[str, str]
) -> None:
    with terminal(environment, "demo") as shown:
        wait_until(
            lambda: "Ctrl-C stops all of it" in shown.text or shown.process.poll() is not None,
            "the story is told",
            LONGEST,
        )
        assert_told(shown.text)
        ui = f"http://127.0.0.1:{environment['PREFECT_SERVER_API_PORT']}"
        assert ui in shown.text
        assert "<html" in httpx.get(ui, follow_redirects=True, trust_env=False, timeout=60).text.lower()
        third = duebell(environment, "demo", "--once")
        assert (third.returncode, "running" in third.stdout) == (1, True)
        assert outcome(home) == (["delivered"], 1, 2)
        shown.press_ctrl_c()
        assert shown.wait(30) == 0, shown.text
        assert shown.text.rstrip().endswith("stopped")
        assert "Traceback" not in shown.text
    assert processes_of(home) == []


def duebell(environment: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    """A command without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "deployments.cli", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_ctrl_c_while_it_starts_stops_what_was_started(tmp_path: Path, environment: dict[str, str]) -> None:
    with terminal({**environment, "DUEBELL_HOME": str(tmp_path)}, "demo") as shown:
        wait_until(lambda: "starting Prefect's server" in shown.text, "the server is being started")
        shown.press_ctrl_c()
        assert shown.wait(30) == 130, shown.text
        assert "Traceback" not in shown.text
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("variable", ["DUEBELL_LISTEN", "PREFECT_SERVER_API_PORT"])
def test_a_taken_port_is_one_sentence_that_names_the_variable(
    tmp_path: Path, environment: dict[str, str], variable: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        value = f"127.0.0.1:{port}" if variable == "DUEBELL_LISTEN" else port
        done = duebell({**environment, "DUEBELL_HOME": str(tmp_path), variable: value}, "demo")
    sentence = done.stdout.splitlines()[-1]
    assert done.returncode == 1
    assert port in sentence
    assert variable in sentence
    assert done.stderr == ""
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("home", ["/proc/nowhere", "{tmp}/file", "not/whole"])
def test_a_home_that_cannot_be_written_is_told_with_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DUEBELL_HOME", home.format(tmp=tmp_path))
    with pytest.raises(ConfigurationError, match="DUEBELL_HOME"), fresh_home():
        pass


def test_a_folder_that_the_demo_did_not_make_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUEBELL_HOME", str(tmp_path))
    precious = tmp_path / "demo" / "accounts.csv"
    precious.parent.mkdir()
    precious.write_text("kept")
    with pytest.raises(ConfigurationError, match="not made by the demo"), fresh_home():
        pass
    assert precious.read_text() == "kept"


def test_the_demos_own_folder_is_emptied_and_what_it_links_to_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUEBELL_HOME", str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    with fresh_home() as home:
        (home / "duebell.db").touch()
        (home / "logs").mkdir()
        (home / "link").symlink_to(elsewhere)
    with fresh_home() as home:
        assert [entry.name for entry in home.iterdir()] == [MARK]
    assert (elsewhere / "kept").exists()


def test_a_home_that_another_demo_uses_is_not_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUEBELL_HOME", str(tmp_path))
    with fresh_home() as home:
        (home / "duebell.db").touch()
        with pytest.raises(ConfigurationError, match="running"), fresh_home():
            pass
        assert (home / "duebell.db").exists()


def test_nothing_of_a_live_installation_reaches_the_demo() -> None:
    variables = {
        "PATH": "/bin",
        "DUEBELL_HOME": "/home/me",
        "DUEBELL_DATABASE_URL": "postgresql+psycopg://live/live",
        "XERO_CLIENT_SECRET": "live",
        "TWILIO_AUTH_TOKEN": "live",
        "SENDGRID_API_KEY": "live",
        "PREFECT_API_KEY": "live",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql+asyncpg://live/live",
        "PREFECT_SERVER_API_PORT": "4299",
    }
    without_live(variables)
    assert variables == {"PATH": "/bin", "DUEBELL_HOME": "/home/me", "PREFECT_SERVER_API_PORT": "4299"}
