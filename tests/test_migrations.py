"""One line of migrations, which leads from nothing to exactly the tables that the code knows."""

import os
from collections.abc import Generator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Engine, MetaData, Table, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import StatementError

from duebell.errors import ConfigurationError
from duebell.ledger.engine import MIGRATIONS, migrate, open_ledger
from duebell.ledger.tables import Brake, SQLModel
from duebell.ledger.writing import writing
from tests.support_facts import NOW, at_once
from tests.support_ledger import NO_POSTGRES, POSTGRES, throwaway_database


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
    states = {name for name, condition in found.items() if "state" in condition}
    filled = {name for name, condition in found.items() if "not null" in condition.lower()}
    assert states == {"ix_xero_event_waiting", "ix_notification_dispatch", "ix_notification_recipient"}
    assert filled == {"ix_notification_lease", "ix_notification_lead_id", "ix_attempt_settle"}


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


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """Where there is no ledger yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/new.db"
    elif not POSTGRES:
        pytest.skip(NO_POSTGRES)
    else:
        with throwaway_database(f"duebell_migrated_{os.getpid()}") as url:
            yield url


def test_f108_an_older_version_that_still_runs_writes_and_reads_after_the_upgrade(url: str) -> None:
    engine = open_ledger(url)
    versions = [one.revision for one in reversed(list(scripts().walk_revisions()))]
    known = {version: upgraded(engine, version) for version in versions}
    for number, (version, tables) in enumerate(known.items(), start=1):
        for table in tables:
            row = {column.name: a_value(column, number) for column in table.columns}
            with engine.begin() as connection:
                connection.execute(table.insert().values(row))
                own = [column == row[column.name] for column in table.primary_key]
                assert connection.execute(select(table).where(*own)).mappings().one() == row, version
            assert uniques(engine, table.name) == table.info["unique"], version
    assert len(known) > 7
    engine.dispose()


def test_what_was_known_of_one_email_address_in_several_spellings_is_one_after_the_upgrade(url: str) -> None:
    engine = open_ledger(url)
    table = next(one for one in upgraded(engine, "0014") if one.name == "preference")
    rows = [
        ("Ana@Rimu.example", "email", "opted_out", "asked: a", 1),
        ("ana@rimu.example", "email", "invalid", "bounced", 3),
        ("ANA@rimu.example", "email", "", "allowed: b", 4),
        ("Ben@Rimu.example", "email", "invalid", "bounced", 1),
        ("jo@rimu.example", "email", "opted_out", "spam", 1),
        ("Not An Email", "sms", "opted_out", "STOP", 1),
    ]
    names = ("address", "channel", "state", "evidence", "changed_at")
    with engine.begin() as connection:
        for *row, hours in rows:
            moment = a_value(table.c.changed_at, 0) + timedelta(hours=hours)
            connection.execute(table.insert().values(dict(zip(names, (*row, moment), strict=True))))
    upgraded(engine, "0015")
    with engine.connect() as connection:
        kept = connection.execute(select(*(table.c[name] for name in names[:4]))).all()
    assert sorted(tuple(row) for row in kept) == [
        ("Not An Email", "sms", "opted_out", "STOP"),
        ("ana@rimu.example", "email", "opted_out", "asked: a"),
        ("ben@rimu.example", "email", "invalid", "bounced"),
        ("jo@rimu.example", "email", "opted_out", "spam"),
    ]
    engine.dispose()


def test_what_was_left_out_with_a_message_that_goes_on_stands_by_itself_after_the_upgrade(url: str) -> None:
    engine = open_ledger(url)
    tables = upgraded(engine, "0016")
    told = next(one for one in tables if one.name == "notification")
    rows = [(11, "planned", None), (12, "skipped", 11), (13, "planned", 11)]
    rows += [(14, "skipped", None), (15, "skipped", 14)]
    with engine.begin() as connection:
        for table in tables:
            row = {column.name: a_value(column, 1) for column in table.columns}
            connection.execute(table.insert().values(row))
        for number, state, lead_id in rows:
            row = {column.name: a_value(column, number) for column in told.columns}
            owner = {name: a_value(told.c[name], 1) for name in ("tenant_id", "invoice_id")}
            connection.execute(told.insert().values(row | owner | {"state": state, "lead_id": lead_id}))
    upgraded(engine, "0017")
    with engine.connect() as connection:
        found = connection.execute(select(told.c.notification_id, told.c.lead_id)).all()
    assert {number: lead_id for number, lead_id in found if number > 10} == {
        11: None, 12: None, 13: 11, 14: None, 15: 14
    }  # fmt: skip
    engine.dispose()


def test_no_notification_counts_fewer_claims_than_its_attempts_stand_on_after_the_upgrade(url: str) -> None:
    engine = open_ledger(url)
    tables = upgraded(engine, "0017")
    told = next(one for one in tables if one.name == "notification")
    attempt = next(one for one in tables if one.name == "attempt")
    with engine.begin() as connection:
        for table in tables:
            row = {column.name: a_value(column, 1) for column in table.columns}
            connection.execute(table.insert().values(row))
        for number, counted in ((11, 1), (12, 7), (13, 1)):
            row = {column.name: a_value(column, number) for column in told.columns}
            owner = {name: a_value(told.c[name], 1) for name in ("tenant_id", "invoice_id")}
            connection.execute(told.insert().values(row | owner | {"lease_token": counted}))
        for number, owner, token in ((21, 11, 2), (22, 11, 5), (23, 12, 6)):
            row = {column.name: a_value(column, number) for column in attempt.columns}
            stands = {"notification_id": owner, "lease_token": token, "leg_id": a_value(attempt.c.leg_id, 1)}
            connection.execute(attempt.insert().values(row | stands))
    upgraded(engine, "0018")
    with engine.connect() as connection:
        found = connection.execute(select(told.c.notification_id, told.c.lease_token)).all()
    assert {number: token for number, token in found if number > 10} == {11: 5, 12: 7, 13: 1}
    engine.dispose()


def upgraded(engine: Engine, version: str) -> list[Table]:
    """The tables as this version knows them, those that are referred to first."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    found = MetaData()
    found.reflect(engine)
    tables = [table for table in found.sorted_tables if table.name != "alembic_version"]
    for table in tables:
        table.info["unique"] = uniques(engine, table.name)
    return tables


def uniques(engine: Engine, table: str) -> set[tuple[str, ...]]:
    """What may stand in a table once: statements say `ON CONFLICT` to it, and one more would refuse rows."""
    seen = inspect(engine)
    constraints = {tuple(one["column_names"]) for one in seen.get_unique_constraints(table)}
    indexes = [one for one in seen.get_indexes(table) if one["unique"]]
    return constraints | {tuple(str(name) for name in one["column_names"]) for one in indexes}


def a_value(column: Column[Any], number: int) -> Any:
    """The ``number``-th value of a column, the same wherever it is referred to."""
    text = f"{column.name} {number}"
    moment = NOW if getattr(column.type, "timezone", False) else NOW.replace(tzinfo=None)
    kinds = {int: number, str: text, bool: False, float: float(number), bytes: b"raw", datetime: moment}
    return kinds[column.type.python_type]


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


@pytest.mark.parametrize(
    "where", ["duebell:a-secret@127.0.0.1:1/duebell", "127.0.0.1:1/duebell?user=duebell&password=a-secret"]
)
def test_a_server_that_does_not_answer_is_a_mistake_of_the_setup_and_shows_no_password(where: str) -> None:
    said = refusal(f"postgresql+psycopg://{where}")
    assert "DUEBELL_DATABASE_URL" in said
    assert "a-secret" not in said


@pytest.mark.skipif(not POSTGRES, reason=NO_POSTGRES)
def test_a_user_who_may_make_no_tables_is_a_mistake_of_the_setup_with_its_mend() -> None:
    plain = f"plain_{os.getpid()}"
    with throwaway_database(f"duebell_plain_{os.getpid()}") as url:
        admin = open_ledger(url)
        with admin.begin() as connection:
            connection.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
            connection.execute(text(f"CREATE ROLE {plain} LOGIN PASSWORD 'a-secret'"))
        try:
            theirs = make_url(url).set(username=plain, password="a-secret")
            said = refusal(theirs.render_as_string(hide_password=False))
        finally:
            with admin.begin() as connection:
                connection.execute(text(f"DROP ROLE {plain}"))
            admin.dispose()
    assert "GRANT CREATE ON SCHEMA public" in said
    assert plain in said
    assert "a-secret" not in said


def test_a_database_of_another_program_is_not_taken_for_a_newer_ledger(url: str) -> None:
    """Prefect keeps the version of its own tables under the same name."""
    theirs = open_ledger(url)
    with theirs.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('94622c1663e8')"))
    theirs.dispose()
    said = refusal(url)
    assert "another program" in said
    assert "DUEBELL_DATABASE_URL" in said
    assert "newer version" not in said


def test_a_time_without_a_zone_is_refused(sqlite_ledger: Engine) -> None:
    brake = Brake(scope="all", stopped=True, by="test", changed_at=NOW.replace(tzinfo=None))
    with pytest.raises(StatementError, match="without a zone"), writing(sqlite_ledger, NOW) as book:
        book.session.add(brake)
