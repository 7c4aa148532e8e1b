"""Sixty days of one invoice in the sandbox, day by day: every message and every silence, with its reason.

Run it with ``-s`` to read them.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine
from sqlmodel import col, select

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.documents import new_contact, phone
from duebell.keys import INVOICE_OVERDUE
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Notification
from duebell.showing.explaining import explain
from duebell.showing.reporting import in_words
from tests.support_facts import MOBILE, keep_contact, open_tenant
from tests.support_overdue import OTHER_TEAM_PHONE, TEAM_PHONE, at, due, office_over, policy_text
from tests.support_story import DAY, ZONE, Watched, watched

CUSTOMER = "cccccccc-2222-4333-8444-555555555555"
DUE = date(2026, 10, 5)
RIMU = new_contact(
    CUSTOMER,
    "Rimu Test Limited",
    datetime(2026, 1, 5, tzinfo=UTC),
    DefaultCurrency="NZD",
    Phones=[phone("MOBILE", "64", "21", "1234567")],
)
POLICY = f'''
# As shipped, with a team to tell. The story begins on whatever Monday comes next: no holiday may change it.
[invoice_overdue]
on_holidays = true
[team.accounts]
phones = ["{TEAM_PHONE}"]
on_holidays = true
'''


@dataclass(frozen=True)
class Line:
    """What one day brought."""

    day: int
    who: str
    what: str
    said: str
    until: int = 0


class Story:
    """The invoice, and what has happened to it in the books and on the telephones so far."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.issued_on = watched.today
        self.lines: list[Line] = []
        self._silent: dict[str, str] = {}
        self._heard = 0
        self._invoice_id = ""

    def day(self, day: int) -> None:
        """What happens in Xero, and the sweep, with all that follows; once a week a poll, as a safety net."""
        told = len(self.lines)
        if day % 7 == 0:
            self.watched.until(self.issued_on + day * DAY, 8, 30)
            self.watched.polls()
        self.watched.until(self.issued_on + day * DAY, 9)
        if what := self._happens(day):
            self.lines.append(Line(day, "", what, ""))
            self.watched.rings()
        self.watched.until(self.issued_on + day * DAY, 10)
        self.watched.sweeps()
        self.watched.nets()
        self._look(day)
        if not any(line.what in {"message", "silence"} for line in self.lines[told:]):
            self.lines.append(Line(day, "customer", "silence", quiet(self.watched)))

    def _happens(self, day: int) -> str:
        """What somebody does in the books on this day, if anything."""
        books = self.watched.sandbox
        if day == 0:
            due_on = self.issued_on + 14 * DAY
            self._invoice_id = books.add_invoice(
                CUSTOMER, "100.00", number="INV-0042", due_on=due_on
            ).invoice_id
            return "issued for $115"
        if day == 16:
            books.pay(self._invoice_id, "40.00")
            return "pays $40"
        if day == 28:
            books.promise(self._invoice_id, self.issued_on + 30 * DAY)
            return "promises the rest for day 30"
        if day == 58:
            books.pay(self._invoice_id)
            return "pays the rest"
        return ""

    def _look(self, day: int) -> None:
        """What Twilio accepted since the last look, and what is not said, or not yet."""
        for one in self.watched.heard()[self._heard :]:
            self._heard += 1
            assert one.accepted_at.astimezone(ZONE).date() == self.issued_on + day * DAY
            self.lines.append(Line(day, "team" if one.to == TEAM_PHONE else "customer", "message", one.body))
        before, self._silent = self._silent, silences_of(self.watched)
        for who, reason in self._silent.items():
            if before.get(who) != reason:
                self.lines.append(Line(day, who, "silence", in_words(reason)))


TOLD = [
    (0, "customer"),  # issued
    (11, "customer"),  # due soon
    (15, "customer"),  # a day overdue
    (16, "customer"),  # thanked for a part
    (21, "customer"),  # second
    (28, "team"),  # third: the team hears, the customer has promised that morning
    (32, "customer"),  # the promise is broken, and its day of grace over
    (32, "team"),  # that it is broken
    (44, "customer"),  # last
    (44, "team"),
    (58, "customer"),  # thanked for the rest
]


def test_sixty_days_of_an_invoice(sandbox: SandboxControl, sqlite_ledger: Engine, tmp_path: Path) -> None:
    with watched(sandbox, sqlite_ledger, tmp_path, POLICY, RIMU) as business:
        business.until(next_monday(business.today), 8)
        story = Story(business)
        for day in range(60):
            story.day(day)
        heard = business.heard()
        printed(gathered(story.lines), story.issued_on)
        lines, messages = story.lines, [one.body for one in heard if one.to == MOBILE]
        assert {line.day for line in lines if line.what in {"message", "silence"}} == set(range(60))
        assert all(line.said for line in lines if line.what == "silence")
        assert [(line.day, line.who) for line in lines if line.what == "message"] == TOLD
        assert "Still to pay: $75.00" in messages[3]
        assert "for $75.00 was due" in messages[5]
        assert "It is now paid in full" in messages[-1]
        silences = {(line.day, line.said) for line in lines if line.what == "silence"}
        assert (28, in_words("promised")) in silences
        posts = sandbox.callback_posts()
        assert {post.status for post in posts} == {204}
        assert {one.status for one in heard} == {"delivered"}
        assert states_of(business) == {"delivered": len(heard)}
        assert broken(sqlite_ledger) == []


def next_monday(today: date) -> date:
    return today + (7 - today.weekday()) * DAY


def quiet(watched: Watched) -> str:
    """Why a day brings no reminder, as `duebell explain` says it: what waits, or why nothing new is said."""
    found = explain(watched.resources, "INV-0042", INVOICE_OVERDUE)
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


def silences_of(watched: Watched) -> dict[str, str]:
    """What is not said, or not yet, by what it is and for whom."""
    with reading(watched.resources.engine) as session:
        wanted = select(Notification).where(col(Notification.state).in_(["held", "skipped"]))
        rows = session.exec(wanted).all()
    return {f"{row.kind} {row.step} {row.recipient.partition(':')[0]}": row.reason for row in rows}


def states_of(watched: Watched) -> Counter[str]:
    """How many messages stand in which state."""
    with reading(watched.resources.engine) as session:
        return Counter(session.exec(select(Notification.state)).all())


def printed(lines: list[Line], issued_on: date) -> None:
    table = Table("day", "for whom", "what", "said", box=None)
    for line in lines:
        until = f" to {line.until} ({issued_on + line.until * DAY:%d %b})" if line.until else ""
        day = f"{line.day} ({issued_on + line.day * DAY:%d %b}){until}"
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
