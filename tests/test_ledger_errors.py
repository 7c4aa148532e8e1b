"""What the database refuses is told without what was to be written: errors end in Prefect's own database."""

import sqlite3
import traceback
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from duebell.errors import ConfigurationError
from duebell.ledger.engine import migrate, open_ledger, reading
from duebell.ledger.failing import why_failing
from duebell.ledger.tables import Preference
from duebell.ledger.writing import writing
from tests.support_facts import MOBILE, NOW


def test_an_error_of_the_database_names_no_value(ledger: Engine) -> None:
    refused = text("UPDATE nowhere SET address = :address")
    with reading(ledger) as session, pytest.raises(DBAPIError) as raised:
        session.connection().execute(refused, {"address": MOBILE})
    assert "nowhere" in str(raised.value)
    assert MOBILE not in str(raised.value)


def whole(error: BaseException) -> str:
    """The error with its causes, as a log or Prefect's database would keep it."""
    return "".join(traceback.format_exception(error))


def test_a_broken_key_names_no_address(ledger: Engine) -> None:
    with writing(ledger, NOW) as book:
        book.session.add(Preference(address=MOBILE, channel="sms", state="", changed_at=NOW))
    again = Preference(address=MOBILE, channel="sms", state="", changed_at=NOW)
    with pytest.raises(IntegrityError) as raised, writing(ledger, NOW) as book:
        book.session.add(again)
    assert "preference" in str(raised.value)
    assert MOBILE not in whole(raised.value)


def test_a_missing_value_does_not_quote_the_row(ledger: Engine) -> None:
    row = text("INSERT INTO preference (address, channel) VALUES (:address, 'sms')")
    with pytest.raises(IntegrityError) as raised, writing(ledger, NOW) as book:
        book.session.connection().execute(row, {"address": MOBILE})
    assert MOBILE not in whole(raised.value)


def test_a_value_of_the_wrong_kind_is_not_quoted(postgres: Engine) -> None:
    wanted = text("SELECT CAST(:address AS uuid)")
    with pytest.raises(DBAPIError) as raised, reading(postgres) as session:
        session.connection().execute(wanted, {"address": MOBILE})
    assert "22P02" in str(raised.value)
    assert MOBILE not in whole(raised.value)


def why_unopened(url: str) -> str:
    with pytest.raises(ConfigurationError, match="cannot be opened") as refused:
        migrate(open_ledger(url, busy_seconds=0.1))
    return str(refused.value)


def test_a_ledger_that_another_process_writes_to_is_told_as_that(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        why = why_unopened(f"sqlite:///{file}")
    assert why.endswith("x.db cannot be opened: another process is writing to it: give the command again")


def test_a_ledger_in_no_folder_and_one_that_is_no_database_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("These are notes, and no database. " * 100)
    assert "its folder is not there" in why_unopened(f"sqlite:///{tmp_path}/none/x.db")
    assert "its file is no SQLite database" in why_unopened(f"sqlite:///{tmp_path}/notes")


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    why = why_unopened("postgresql+psycopg://ana:secret@127.0.0.1:1/duebell")
    assert "no server answers there" in why
    assert "ana" not in why
    assert "secret" not in why


@pytest.mark.parametrize(
    ("user", "database", "said"),
    [("nobody_here", "postgres", "knows no such user"), ("", "nothing_here", "has no such database")],
)
def test_a_user_and_a_database_that_a_server_does_not_know_are_told_apart(
    postgres: Engine, user: str, database: str, said: str
) -> None:
    there = postgres.url.set(database=database, username=user or postgres.url.username)
    assert said in why_unopened(there.render_as_string(hide_password=False))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ('FATAL:  password authentication failed for user "ana"', "does not let this user and password in"),
        ("FATAL:  sorry, too many clients already", "takes no more connections"),
        ("FATAL:  the database system is starting up", "is starting or stopping"),
        ("connection timeout expired", "no server answers there"),
        ('something new about "ana"', "OperationalError. Check DUEBELL_DATABASE_URL"),
    ],
)
def test_what_a_server_answers_is_told_by_its_kind_alone(told: str, said: str) -> None:
    why = why_failing(OperationalError(None, None, psycopg.OperationalError(f"connection failed: {told}")))
    assert said in why
    assert "ana" not in why
