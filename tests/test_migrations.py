"""One line of migrations, which leads from nothing to exactly the tables that the code knows."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import StatementError

from duebell.errors import ConfigurationError
from duebell.ledger.engine import MIGRATIONS, migrate, open_ledger
from duebell.ledger.tables import Brake, SQLModel
from duebell.ledger.writing import writing
from tests.support_facts import NOW, at_once


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config)


def test_there_is_exactly_one_newest_version() -> None:
    assert len(scripts().get_heads()) == 1
    assert len(scripts().get_bases()) == 1


def test_the_migrations_make_the_tables_that_the_code_knows(ledger: Engine) -> None:
    with ledger.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_partial_indexes_keep_their_condition(ledger: Engine) -> None:
    found = {
        index["name"]: str(index.get("dialect_options", {}).get(f"{ledger.dialect.name}_where"))
        for table in ("xero_event", "notification", "attempt")
        for index in inspect(ledger).get_indexes(table)
    }
    partial = {name for name, condition in found.items() if "state" in condition}
    assert partial == {
        "ix_xero_event_waiting",
        "ix_notification_dispatch",
        "ix_notification_lease",
        "ix_attempt_settle",
    }


def test_migrating_again_changes_nothing(ledger: Engine) -> None:
    migrate(ledger)
    with ledger.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1


def test_processes_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    def start(_: int) -> None:
        engine = open_ledger(f"sqlite:///{tmp_path}/new.db")
        migrate(engine)
        engine.dispose()

    at_once(6, start)


def test_a_ledger_from_the_future_is_refused_and_left_as_it_is(ledger: Engine) -> None:
    [head] = scripts().get_heads()
    set_version = text("UPDATE alembic_version SET version_num = :version")
    with ledger.begin() as connection:
        connection.execute(set_version, {"version": "9999"})
    try:
        with pytest.raises(ConfigurationError, match="newer version of Duebell"):
            migrate(ledger)
        with ledger.connect() as connection:
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    finally:
        with ledger.begin() as connection:
            connection.execute(set_version, {"version": head})


def refusal(url: str) -> str:
    engine = open_ledger(url)
    try:
        with pytest.raises(ConfigurationError) as refused:
            migrate(engine)
    finally:
        engine.dispose()
    return str(refused.value)


def test_a_folder_that_is_not_there_is_a_mistake_of_the_setup_with_its_mend(tmp_path: Path) -> None:
    assert "DUEBELL_DATABASE_URL" in refusal(f"sqlite:///{tmp_path}/nowhere/duebell.db")


def test_a_file_that_is_no_database_is_a_mistake_of_the_setup_with_its_mend(tmp_path: Path) -> None:
    (tmp_path / "duebell.db").write_text("these are not the tables you are looking for\n" * 99)
    assert "DUEBELL_DATABASE_URL" in refusal(f"sqlite:///{tmp_path}/duebell.db")


def test_a_server_that_does_not_answer_is_a_mistake_of_the_setup_and_shows_no_password() -> None:
    said = refusal("postgresql+psycopg://duebell:a-secret@127.0.0.1:1/duebell")
    assert "DUEBELL_DATABASE_URL" in said
    assert "a-secret" not in said


def test_a_time_without_a_zone_is_refused(sqlite_ledger: Engine) -> None:
    brake = Brake(scope="all", stopped=True, by="test", changed_at=NOW.replace(tzinfo=None))
    with pytest.raises(StatementError, match="without a zone"), writing(sqlite_ledger, NOW) as book:
        book.session.add(brake)
