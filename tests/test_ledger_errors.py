"""What the database refuses is told without what was to be written: errors end in Prefect's own database."""

import traceback

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from duebell.ledger.engine import reading
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
