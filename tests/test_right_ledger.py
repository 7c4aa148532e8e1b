"""An empty database beside a ledger with a history: nothing starts on it, and the mend is told."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments import worker
from deployments.children import ROOT
from deployments.cli import app
from duebell.errors import ConfigurationError
from duebell.ledger import preferences, tenants
from duebell.ledger.writing import writing
from duebell.resources import open_resources
from duebell.safekeeping.journal import Journal
from duebell.safekeeping.moving_house import move_house
from duebell.settings import load
from tests.support_facts import MOBILE, NOW, Hand, open_tenant, plan
from tests.support_houses import opened
from tests.support_ledger import throwaway_database
from tests.support_office import environment_of
from tests.test_journal import posted


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose own ledger knows of a message."""
    made = tmp_path / "home"
    made.mkdir()
    with opened(own(made)) as engine:
        open_tenant(engine)
        plan(engine)
    return made


def own(home: Path) -> str:
    return f"sqlite:///{home}/duebell.db"


def environment(home: Path, database: str = "") -> dict[str, str]:
    return environment_of(home, database or f"sqlite:///{home.parent}/another.db", "http://127.0.0.1:1")


def refusal(environment: Mapping[str, str]) -> str:
    """Why nothing is opened; empty where it is."""
    try:
        open_resources(load(environment, env_file=None)).close()
    except ConfigurationError as error:
        return str(error)
    return ""


def test_an_empty_ledger_beside_one_that_knows_whom_it_told_is_refused_with_both_and_the_mend(
    home: Path,
) -> None:
    said = refusal(environment(home))
    assert f"the ledger at sqlite:///{home.parent}/another.db is empty" in said
    assert f"the one in {home}/duebell.db knows whom it told" in said
    assert f"`duebell move-ledger --from {own(home)}`" in said


def test_the_password_of_a_server_is_not_told(home: Path, postgres: object) -> None:
    assert postgres
    with throwaway_database("duebell_right_ledger") as url:
        given = url.replace("postgres@", "postgres:secret@")
        said = refusal(environment(home, given))
    assert "is empty" in said
    assert "secret" not in said


def test_a_home_that_knows_nobody_begins_anywhere(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/duebell.db"):
        pass
    assert refusal(environment_of(tmp_path, f"sqlite:///{tmp_path}/another.db", "http://127.0.0.1:1")) == ""


def test_a_home_that_knows_a_stop_alone_is_not_forgotten(tmp_path: Path) -> None:
    with opened(own(tmp_path)) as engine, writing(engine, NOW) as book:
        preferences.refuse_address(book, MOBILE, "sms", "opted_out", "asked")
    assert "is empty" in refusal(environment(tmp_path, f"sqlite:///{tmp_path}/another.db"))
    assert refusal(environment(tmp_path, own(tmp_path))) == ""


def test_the_homes_own_ledger_and_one_that_is_in_use_are_opened(home: Path) -> None:
    assert refusal(environment(home, own(home))) == ""
    with opened(f"sqlite:///{home.parent}/another.db") as engine:
        open_tenant(engine)
    assert refusal(environment(home)) == ""


def test_a_file_in_the_home_that_is_no_ledger_stands_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "duebell.db").write_text("notes " * 999)
    assert refusal(environment(tmp_path, f"sqlite:///{tmp_path}/another.db")) == ""


def test_an_empty_ledger_beside_a_journal_of_another_ones_messages_is_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", "here")
    journal.begun("another ledger", posted())
    said = refusal(environment(tmp_path, own(tmp_path)))
    assert f"the side journal in {tmp_path}/journal knows messages of another one" in said
    assert "restore it from a backup" in said
    journal.folder.rename(tmp_path / "journal.old")
    assert refusal(environment(tmp_path, own(tmp_path))) == ""


def test_a_moved_ledger_is_opened_where_it_is_and_nowhere_else(home: Path) -> None:
    new = f"sqlite:///{home.parent}/another.db"
    with opened(own(home)) as engine:
        tenants.set_brake(engine, stopped=False, by="test", why="", scope="all", now=NOW)
    move_house(own(home), new, "person:ana", Hand(NOW))
    assert refusal(environment(home, new)) == ""
    assert f"was moved to {new}: set DUEBELL_DATABASE_URL to that one" in refusal(
        environment(home, own(home))
    )


@pytest.mark.parametrize(
    "words", [["up"], ["resume"], ["stop"], ["preference", "stop", MOBILE, "--why", "asked"], ["audit"]]
)
def test_no_command_takes_the_empty_ledger_for_the_one_that_was_meant(home: Path, words: list[str]) -> None:
    done = CliRunner().invoke(app, words, env={**environment(home), "COLUMNS": "100"})
    assert done.exit_code == 1
    assert "`duebell move-ledger --from" in " ".join(done.output.split())


def test_doctor_tells_it_too(home: Path) -> None:
    done = CliRunner().invoke(app, ["doctor"], env={**environment(home), "COLUMNS": "100"})
    assert done.exit_code == 1
    assert "move-ledger --from" in " ".join(done.output.split())


def test_neither_receiver_nor_worker_starts_on_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(home).items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "deployments.receiver"]
    receiver = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert receiver.returncode == 1
    assert "duebell move-ledger" in receiver.stderr
    with pytest.raises(ConfigurationError, match="duebell move-ledger"), worker.opened():
        pass
