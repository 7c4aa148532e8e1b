"""``duebell move-ledger`` as a person gives it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deployments.cli import app
from duebell.ledger import tenants, trail
from tests.support_facts import open_tenant, plan
from tests.support_houses import opened
from tests.support_office import environment_of


@pytest.fixture
def old(tmp_path: Path) -> str:
    """A ledger with a history, in its home."""
    url = f"sqlite:///{tmp_path}/duebell.db"
    with opened(url) as engine:
        open_tenant(engine)
        plan(engine)
    return url


def run(tmp_path: Path, database: str, *words: str) -> Result:
    given = environment_of(tmp_path, database, "http://127.0.0.1:1")
    return CliRunner().invoke(app, ["move-ledger", *words], env={**given, "COLUMNS": "200"})


@pytest.mark.parametrize("way", ["to", "from"])
def test_a_ledger_moves_from_or_to_the_one_that_the_settings_name(tmp_path: Path, old: str, way: str) -> None:
    new = f"sqlite:///{tmp_path}/new.db"
    done = run(tmp_path, old, "--to", new) if way == "to" else run(tmp_path, new, "--from", old)
    assert done.exit_code == 0, done.output
    assert f"let DUEBELL_DATABASE_URL name the ledger at {new}" in " ".join(done.output.split())
    with opened(new) as engine:
        assert len(tenants.connected(engine)) == 1
        assert trail.entries(engine, "", 1)[0].actor.startswith("person:")


def test_it_asks_where_to(tmp_path: Path, old: str) -> None:
    done = run(tmp_path, old)
    assert done.exit_code == 1
    assert "it is not said where the ledger moves: say --to" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:///duebell.db", "--to names no whole path"),
        ("mysql://ana:secret@there/duebell", "--to is no database that Duebell keeps its ledger in"),
        ("postgresql+psycopg://ana:sec/ret@there/duebell", "--to cannot be read"),
    ],
)
def test_a_place_that_cannot_be_read_is_told_by_the_option(
    tmp_path: Path, old: str, url: str, said: str
) -> None:
    done = run(tmp_path, old, "--to", url)
    assert done.exit_code == 1
    assert said in " ".join(done.output.split())
    assert "secret" not in done.output
    assert "sec/ret" not in done.output


def test_settings_at_fault_elsewhere_keep_no_ledger_from_moving(tmp_path: Path, old: str) -> None:
    given = environment_of(tmp_path, old, "http://127.0.0.1:1") | {"TWILIO_ACCOUNT_SID": "nonsense"}
    words = ["move-ledger", "--to", f"sqlite:///{tmp_path}/new.db"]
    done = CliRunner().invoke(app, words, env=given)
    assert done.exit_code == 0, done.output
