"""The tests' own ledgers share an engine, and nothing else."""

from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.event import listen

from duebell.ledger.engine import reading
from duebell.ledger.tables import Tenant
from tests.support_facts import counted, open_tenant
from tests.support_ledger import SqliteLedgers


def test_who_listens_to_one_ledger_or_writes_to_it_is_not_heard_by_the_next(
    migrated: Path, tmp_path: Path
) -> None:
    ledgers, heard = SqliteLedgers(migrated), list[str]()
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    first = ledgers.fresh(tmp_path / "1")

    def note(connection: Connection) -> None:
        heard.append(str(connection.engine.url.database))

    listen(first, "begin", note)
    open_tenant(first)
    assert set(heard) == {str(tmp_path / "1" / "ledger.db")}
    heard.clear()
    second = ledgers.fresh(tmp_path / "2")
    with reading(second) as session:
        session.connection()
    assert (heard, counted(second, Tenant)) == ([], 0)
    ledgers.close()
