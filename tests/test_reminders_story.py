"""Sixty days of one invoice, day by day: every message and every silence, each with its reason.

Run it with ``-s`` to read them.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.explaining import explain
from duebell.keys import INVOICE_OVERDUE
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification
from duebell.reporting import in_words
from tests.support_facts import MOBILE, keep_contact, open_tenant
from tests.support_overdue import (
    OTHER_TEAM_PHONE,
    TEAM_PHONE,
    Office,
    a_payment,
    at,
    day_of,
    due,
    office_over,
    policy_text,
)

ISSUED = date(2026, 9, 21)
DUE = date(2026, 10, 5)
DAY = timedelta(days=1)
DATED = {"DateString": f"{ISSUED.isoformat()}T00:00:00"}
PART = [a_payment(1, 40, ISSUED + 16 * DAY)]
REST = [*PART, a_payment(2, 75, ISSUED + 58 * DAY)]
OWED = due(DUE, **DATED)
PART_PAID = OWED | {"AmountPaid": 40, "AmountDue": 75, "Payments": PART}

HAPPENS = {
    0: ("issued for $115", OWED),
    16: ("pays $40", PART_PAID),
    28: ("promises the rest for day 33", PART_PAID | {"ExpectedPaymentDate": day_of(ISSUED + 33 * DAY)}),
    58: ("pays the rest", OWED | {"AmountPaid": 115, "AmountDue": 0, "Payments": REST, "Status": "PAID"}),
}


@dataclass(frozen=True)
class Line:
    """What one day brought."""

    day: int
    who: str
    what: str
    said: str
    until: int = 0


def test_sixty_days_of_an_invoice(sqlite_ledger: Engine, tmp_path: Path) -> None:
    open_tenant(sqlite_ledger, short_code="!mBdtL")
    keep_contact(sqlite_ledger)
    office = office_over(sqlite_ledger, tmp_path, at(ISSUED, 9))
    lines: list[Line] = []
    for day in range(60):
        lines += lived(office, day)
        office.clock.now = at(ISSUED + (day + 1) * DAY, 9)
    printed(gathered(lines))
    assert {line.day for line in lines if line.what in {"message", "silence"}} == set(range(60))
    assert all(line.said for line in lines if line.what == "silence")
    told = [(line.day, line.who) for line in lines if line.what == "message"]
    assert told == [
        (0, "customer"),  # issued
        (11, "customer"),  # due soon
        (15, "customer"),  # a day overdue
        (16, "customer"),  # thanked for a part
        (21, "customer"),  # second
        (28, "team"),  # third: the team hears, the customer has promised that morning
        (35, "customer"),  # the promise is broken, and its day of grace over
        (35, "team"),  # that it is broken
        (44, "customer"),  # last
        (44, "team"),
        (58, "customer"),  # thanked for the rest
    ]
    assert "Still to pay: $75.00" in office.phones.to(MOBILE)[3]
    assert "for $75.00 was due" in office.phones.to(MOBILE)[5]
    assert "It is now paid in full" in office.phones.to(MOBILE)[-1]
    silences = {(line.day, line.said) for line in lines if line.what == "silence"}
    assert (28, in_words("promised")) in silences
    assert broken(office.engine) == []


def lived(office: Office, day: int) -> list[Line]:
    """One day: what happens in Xero, the sweep, and the runs and the net that follow."""
    lines: list[Line] = []
    heard, silent = len(office.phones.heard), silences_of(office)
    if day in HAPPENS:
        what, fields = HAPPENS[day]
        lines.append(Line(day, "", what, ""))
        office.keeps(1, **fields)
        office.runs(office.hears(1))
    office.later(hours=1)
    office.day()
    office.nets()
    for to, text in office.phones.heard[heard:]:
        lines.append(Line(day, "team" if to == TEAM_PHONE else "customer", "message", text))
    for who, reason in silences_of(office).items():
        if silent.get(who) != reason:
            lines.append(Line(day, who, "silence", in_words(reason)))
    if not any(line.what in {"message", "silence"} for line in lines):
        lines.append(Line(day, "customer", "silence", quiet(office)))
    return lines


def quiet(office: Office) -> str:
    """Why a day brings no reminder, as `duebell explain` says it: what waits, or why nothing new is said."""
    found = explain(office.resources, "INV-0001", INVOICE_OVERDUE)
    waits = [one.stands.partition(": ")[2] for one in found.people if one.stands.startswith("held")]
    said = f"the stage that has come, {found.people[-1].stage}, has been said" if found.people else ""
    return "; ".join(waits or [why for _, why in found.silent] or [said])


def gathered(lines: list[Line]) -> list[Line]:
    """The same, with silence for one reason said once for all of its days."""
    kept: list[Line] = []
    for line in lines:
        last = kept[-1] if kept else None
        if last and (last.who, last.what, last.said) == (line.who, line.what, line.said):
            kept[-1] = replace(last, until=line.day)
        else:
            kept.append(line)
    return kept


def silences_of(office: Office) -> dict[str, str]:
    """What is not said, or not yet, by what it is and for whom."""
    with reading(office.engine) as session:
        wanted = select(Notification).where(col(Notification.state).in_(["held", "skipped"]))
        rows = session.exec(wanted).all()
    return {f"{row.kind} {row.step} {row.recipient.partition(':')[0]}": row.reason for row in rows}


def printed(lines: list[Line]) -> None:
    table = Table("day", "for whom", "what", "said", box=None)
    for line in lines:
        until = f" to {line.until} ({ISSUED + line.until * DAY:%d %b})" if line.until else ""
        day = f"{line.day} ({ISSUED + line.day * DAY:%d %b}){until}"
        table.add_row(day, line.who, line.what, line.said)
    Console(width=150).print(table)


def test_a_team_s_new_first_address_hears_of_later_stages_only_and_the_old_one_of_no_stage_twice(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    open_tenant(sqlite_ledger)
    keep_contact(sqlite_ledger)
    office = office_over(sqlite_ledger, tmp_path, at(DUE + 14 * DAY))
    office.keeps(1, **due(DUE))
    office.day()
    both = policy_text().replace(f'"{TEAM_PHONE}"', f'"{OTHER_TEAM_PHONE}", "{TEAM_PHONE}"')
    (tmp_path / "policy.toml").write_text(both)
    office.later(hours=2)
    office.day()
    assert sorted(to for to, _ in office.phones.heard) == sorted([MOBILE, TEAM_PHONE])
    office.later(days=16)
    office.day()
    assert sorted(to for to, _ in office.phones.heard[2:]) == sorted([MOBILE, OTHER_TEAM_PHONE, TEAM_PHONE])
    assert broken(office.engine) == []
