"""A business whose books are full of old debts when it is connected, and one that has a day like no other."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import Engine

from duebell.ledger import volumes
from duebell.ledger.engine import reading
from tests.support_facts import TENANT, keep_contact, numbered, open_tenant
from tests.support_overdue import at, due, office_over
from tests.support_scale import Firm, found, invoice_of

MONDAY = date(2026, 11, 23)
DAY = timedelta(days=1)


def first_day(engine: Engine, folder: Path, invoices: int, customers: int) -> Iterator[tuple[str, int]]:
    """What was heard on the first day of a connection, before and after a person has lifted the hold."""
    office = office_over(engine, folder, at(MONDAY), "# as shipped\n")
    firm = Firm(TENANT, "Pacific/Auckland", "NZ")
    now = office.clock.now
    found(engine, firm, range(invoices), customers, now)
    for number in range(invoices):
        office.books[numbered(number)] = json.dumps(invoice_of(number, customers, now.date(), now))
    for _ in range(4):
        office.runs(office.sweeps().runs)
        office.nets()
        office.later(hours=1)
    yield "held for a person", sum(reason == "unusual_volume" for *_, reason in office.stands())
    yield "heard before it is lifted", len(office.phones.heard)
    with reading(engine) as session:
        held = volumes.held_for_volume(session, TENANT)
    volumes.lift(engine, TENANT, "person:test", held, now=office.clock.now)
    office.runs(office.sweeps().runs)
    yield "heard in the hour after it is lifted", len(office.phones.heard)


def tenfold_day(engine: Engine, folder: Path, usual: int) -> Iterator[tuple[str, int]]:
    """What was heard on three usual days, and on one with ten times as many reminders."""
    open_tenant(engine)
    office = office_over(engine, folder, at(MONDAY), "# as shipped\n")
    for day, many in enumerate([usual, usual, usual, 10 * usual]):
        for number in range(day * 1_000, day * 1_000 + many):
            contact = numbered(500_000 + number)
            keep_contact(engine, contact, f"+6421{2_345_000 + number}", read_at=office.clock.now)
            owed = due(MONDAY + (day - 1) * DAY, Contact={"ContactID": contact})
            office.keeps(number, **owed)
        before = len(office.phones.heard)
        office.runs(office.sweeps().runs)
        office.nets()
        yield f"heard on day {day + 1}", len(office.phones.heard) - before
        office.clock.now = at(MONDAY + (day + 1) * DAY)
