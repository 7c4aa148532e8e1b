"""What the database refuses is told without what was to be written: errors end in Prefect's own database."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from duebell.ledger.engine import reading
from tests.support_facts import MOBILE


def test_an_error_of_the_database_names_no_value(ledger: Engine) -> None:
    refused = text("UPDATE nowhere SET address = :address")
    with reading(ledger) as session, pytest.raises(DBAPIError) as raised:
        session.connection().execute(refused, {"address": MOBILE})
    assert "nowhere" in str(raised.value)
    assert MOBILE not in str(raised.value)
