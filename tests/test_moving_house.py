"""A ledger moves to another database, and takes all that it knows with it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, UniqueConstraint, insert, select, text

from duebell.database_url import without_secrets
from duebell.errors import ConfigurationError
from duebell.ledger import carrying_over, moved, tenants, trail
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.tables import SQLModel
from duebell.safekeeping.moving_house import move_house
from tests.support_facts import NOW, Hand
from tests.support_houses import TABLES, TRAIL, Houses, contents, emptied_database, filled, houses_on, opened

BY = "person:ana"
GUEST = f"duebell_guest_{os.getpid()}"
Contents = Mapping[str, list[tuple[Any, ...]]]
ROADS = [
    ("sqlite", "postgresql"),
    ("postgresql", "postgresql"),
    ("postgresql", "sqlite"),
    ("sqlite", "sqlite"),
]


@dataclass(frozen=True)
class Moved:
    """A ledger that was moved, and what it held before."""

    houses: Houses
    before: Contents
    rows: int


@pytest.fixture(params=ROADS, ids="-".join, scope="module")
def there(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Moved:
    """A ledger with something in every table, moved in portions of two rows."""
    houses = houses_on(request, tmp_path_factory.mktemp("houses"), *request.param)
    with opened(houses.old) as engine:
        filled(engine)
        before = contents(engine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carrying_over, "PORTION", 2)
        return Moved(houses, before, move(houses))


@pytest.fixture(params=["sqlite", "postgresql"])
def houses(request: pytest.FixtureRequest, tmp_path: Path) -> Houses:
    """A ledger with something in every table that is to move, on each of the two databases."""
    found = houses_on(request, tmp_path, request.param, "sqlite")
    with opened(found.old) as engine:
        filled(engine)
    return found


@pytest.fixture
def flat(tmp_path: Path) -> Houses:
    """The same on SQLite, moving to SQLite."""
    found = Houses(f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/new.db")
    with opened(found.old) as engine:
        filled(engine)
    return found


def move(houses: Houses) -> int:
    return move_house(houses.old, houses.new, BY, Hand(NOW))


def known(url: str) -> Contents:
    with opened(url) as engine:
        return contents(engine)


def marks(url: str) -> moved.Marks:
    with opened(url) as engine, reading(engine) as session:
        return moved.marks(session)


def refusal(houses: Houses) -> str:
    with pytest.raises(ConfigurationError) as refused:
        move(houses)
    return str(refused.value)


def test_every_row_of_every_table_arrives_as_it_was(there: Moved) -> None:
    before, after = there.before, known(there.houses.new)
    assert [name for name, rows in before.items() if not rows] == [], "a table that nothing was put into"
    assert there.rows == sum(map(len, before.values()))
    assert {**after, TRAIL: after[TRAIL][: len(before[TRAIL])]} == before
    assert len(after[TRAIL]) == len(before[TRAIL]) + 1


def test_the_audit_trail_goes_on_where_it_was_and_says_who_moved_it(there: Moved) -> None:
    with opened(there.houses.new) as engine:
        assert trail.first_break_in(engine) is None
        last = trail.entries(engine, "", 1)[-1]
    assert (last.actor, last.action) == (BY, "ledger moved here")
    assert last.details == f"rows {there.rows}"
    with opened(there.houses.old) as engine:
        assert trail.first_break_in(engine) is None
        assert trail.entries(engine, "", 1)[-1].action == "ledger moved away"


def test_new_rows_are_counted_from_behind_those_that_came(there: Moved) -> None:
    with opened(there.houses.new) as engine, engine.begin() as connection:
        for table in TABLES:
            number = table.autoincrement_column
            if number is None or table.name == TRAIL:
                continue
            row = dict(connection.execute(select(table).where(number == 1002)).mappings().one())
            del row[number.name]
            for unique in unique_columns(table.name) - {number.name}:
                row[unique] = row[unique] + (" anew" if isinstance(row[unique], str) else 1)
            made = connection.execute(insert(table).values(row)).inserted_primary_key
            assert made is not None
            assert made[0] == 1003, table.name


def unique_columns(name: str) -> set[str]:
    """A column of each rule that allows a value once; none that refers to another table."""
    table: Any = SQLModel.metadata.tables[name]
    rules: list[list[Any]] = [[one] for one in table.columns if one.unique]
    rules += [list(one.columns) for one in table.constraints if isinstance(one, UniqueConstraint)]
    return {next(one.name for one in columns if not one.foreign_keys) for columns in rules}


def test_of_the_two_ledgers_the_new_one_alone_may_send(there: Moved) -> None:
    houses = there.houses
    assert marks(houses.old) == moved.Marks(without_secrets(houses.new), "")
    assert marks(houses.new) == moved.Marks("", "")


def test_a_ledger_of_an_older_schema_is_brought_up_to_date_first(flat: Houses) -> None:
    with opened(flat.old) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0017'"))
    move(flat)
    assert marks(flat.old).away_to


# What is refused, with nothing changed on either side.


def test_a_place_that_holds_anything_is_left_as_it_is(flat: Houses) -> None:
    with opened(flat.new) as engine:
        tenants.set_brake(engine, stopped=True, by="test", why="", scope="all", now=NOW)
    before = known(flat.old), known(flat.new)
    assert "is not empty" in refusal(flat)
    assert (known(flat.old), known(flat.new)) == before


def test_a_ledger_that_a_process_has_open_is_not_moved(houses: Houses) -> None:
    with opened(houses.old) as engine:
        with reading(engine) as session:
            session.connection()  # and back into the pool, where it stays open
        said = refusal(houses)
    assert "is in use by" in said
    assert "`duebell up`" in said
    assert marks(houses.old).away_to == ""


def test_a_ledger_is_not_moved_to_where_it_is(houses: Houses, tmp_path: Path) -> None:
    same = Houses(houses.old, houses.old.replace("127.0.0.1", "localhost"))
    assert "name another database" in refusal(same)
    if houses.old.startswith("sqlite"):
        (tmp_path / "link.db").symlink_to(tmp_path / "old.db")
        assert "name another database" in refusal(Houses(houses.old, f"sqlite:///{tmp_path}/link.db"))


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    said = refusal(Houses(f"sqlite:///{tmp_path}/none.db", f"sqlite:///{tmp_path}/new.db"))
    assert "there is no ledger at" in said
    assert list(tmp_path.iterdir()) == []


def test_an_empty_ledger_is_not_moved(tmp_path: Path) -> None:
    houses = Houses(f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/new.db")
    with opened(houses.old):
        pass
    assert "is empty: there is nothing to move" in refusal(houses)


def test_a_ledger_that_was_moved_is_not_moved_again(flat: Houses, tmp_path: Path) -> None:
    move(flat)
    assert f"was moved to {without_secrets(flat.new)} before" in refusal(
        Houses(flat.old, f"sqlite:///{tmp_path}/third.db")
    )
    assert f"was moved to {without_secrets(flat.new)} before" in refusal(flat)


def test_a_server_that_is_away_is_told_without_the_password(flat: Houses) -> None:
    said = refusal(Houses(flat.old, "postgresql+psycopg://ana:secret@127.0.0.1:1/duebell"))
    assert "no server answers there" in said
    assert "secret" not in said
    assert marks(flat.old).away_to == ""


@pytest.mark.parametrize("may", ["", "GRANT USAGE ON SCHEMA public TO PUBLIC"])
def test_a_user_who_may_make_no_tables_is_told_what_to_do(
    plots: tuple[str, str], flat: Houses, may: str
) -> None:
    houses = Houses(flat.old, emptied_database(plots[1]))
    admin = open_ledger(houses.new)
    with admin.begin() as connection:
        connection.execute(text(f"DROP ROLE IF EXISTS {GUEST}"))
        connection.execute(text(f"CREATE ROLE {GUEST} LOGIN"))
        connection.execute(text(may or "SELECT 1"))
    try:
        said = refusal(Houses(houses.old, guest(admin)))
    finally:
        with admin.begin() as connection:
            connection.execute(text(f"DROP ROLE {GUEST}"))
        admin.dispose()
    assert "may not" in said
    assert "owner of the database" in " ".join(said.split())
    assert marks(houses.old).away_to == ""


def guest(engine: Engine) -> str:
    return engine.url.set(username=GUEST).render_as_string(hide_password=False)


def test_a_trail_that_somebody_changed_is_not_moved(flat: Houses) -> None:
    with opened(flat.old) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE audit SET actor = 'nobody' WHERE sequence = 2"))
    assert "was changed at entry 2" in refusal(flat)
    assert all(rows == [] for rows in known(flat.new).values())


def test_a_row_that_the_new_database_does_not_take_is_told_without_what_stands_in_it(
    plots: tuple[str, str], flat: Houses
) -> None:
    houses = Houses(flat.old, emptied_database(plots[1]))
    with opened(houses.old) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE inbound_text SET body = 'Ana' || char(0) || 'STOP'"))
    said = refusal(houses)
    assert "INSERT INTO inbound_text" in said
    assert "Ana" not in said
    assert (marks(houses.old).away_to, known(houses.new)["tenant"]) == ("", [])
