"""A business of three customers whose days are lived by real sweeps, and played over again by a backtest."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlmodel import select
from typer.testing import CliRunner, Result

from deployments.cli import app
from duebell.backtest.credit import credits_over_time
from duebell.backtest.histories import History, histories
from duebell.backtest.playing import Play
from duebell.backtest.said import Message, Outgoing, Words
from duebell.ledger.engine import reading
from duebell.ledger.tables import Attempt, Notification, Tenant
from duebell.policy_file.policy import Policy
from duebell.sending.telling import rules_of
from tests.support_facts import TENANT, keep_contact, numbered, open_tenant
from tests.support_office import environment_of
from tests.support_overdue import ZONE, Office, a_payment, at, due, office_over

DUE = date(2026, 10, 1)  # a Thursday
DAY = timedelta(days=1)
TEN = 'opens = "10:00"\ncloses = "10:30"\non_holidays = true\n'
EVERY_DAY = 'days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]\n'
AT_TEN = (
    f"[invoice_issued]\nenabled = false\n[payment_received]\nenabled = false\n"
    f"[invoice_overdue]\n{TEN}{EVERY_DAY}"
    f'[team.accounts]\n{TEN}{EVERY_DAY}phones = ["+64211110000"]\n[limits]\nbreaker_from = 1000\n'
)


def office_at(engine: Engine, folder: Path, day: date, text: str) -> Office:
    """Three customers, of whom the third cannot be texted."""
    open_tenant(engine)
    office = office_over(engine, folder, at(day), text)
    for number, mobile in ((71, "+64215550071"), (72, "+64215550072"), (73, "")):
        keep_contact(engine, numbered(number), mobile, read_at=office.clock.now, Name=f"Customer {number}")
    return office


def keeps(office: Office, number: int, customer: int, **fields: Any) -> None:
    """An invoice of September over 115, due on the first of October unless it is said otherwise."""
    usual = due(
        DUE, Contact={"ContactID": numbered(customer)}, DateString="2026-09-01T00:00:00", AmountPaid=0
    )
    office.keeps(number, **(usual | fields))


def paid(number: int, day: date, amount: int = 115) -> dict[str, Any]:
    """The fields of an invoice on which so much was paid on a day."""
    status = {"Status": "PAID"} if amount == 115 else {}
    payments = [a_payment(number, amount, day)]
    return {"AmountDue": 115 - amount, "AmountPaid": amount, "Payments": payments, **status}


Said = Counter[tuple[date, str, tuple[str, ...]]]
"""Messages: the day, the reader's name, and of each thing that is told its stage, or its kind without one."""


def past(office: Office) -> list[History]:
    """Every invoice over time."""
    with reading(office.engine) as session:
        return histories(session, session.get_one(Tenant, TENANT))


class Noting(Words):
    """Notes all that a message tells."""

    def __init__(self, office: Office) -> None:
        super().__init__(office.resources.templates)
        self.said: Said = Counter()

    def message(
        self, members: Sequence[Outgoing], policy: Policy, now: datetime, day: date, *, had_paid: bool
    ) -> Message:
        """The same, noted."""
        one = super().message(members, policy, now, day, had_paid=had_paid)
        told = tuple(sorted(_what(member.subject.step, member.subject.kind) for member in members))
        self.said[day, one.name, told] += 1
        return one


def played(office: Office, start: datetime, end: datetime) -> Said:
    """What is said when the policy is played over the past."""
    with reading(office.engine) as session:
        credits = credits_over_time(session, TENANT)
    words = Noting(office)
    Play(past(office), rules_of(office.resources), words, credits).through(start, end)
    return words.said


def said(office: Office) -> Said:
    """What really went out."""
    with reading(office.engine) as session:
        rows = {row.notification_id: row for row in session.exec(select(Notification)).all()}
        attempts = session.exec(select(Attempt)).all()
    together: dict[int | None, list[str]] = {}
    for row in rows.values():
        together.setdefault(row.lead_id or row.notification_id, []).append(_what(row.step, row.kind))
    names = {f"contact:{numbered(number)}": f"Customer {number}" for number in (71, 72, 73)}
    found: Said = Counter()
    for one in attempts:
        recipient = rows[one.notification_id].recipient
        day = one.started_at.astimezone(ZONE).date()
        found[day, names.get(recipient, recipient), tuple(sorted(together[one.notification_id]))] += 1
    return found


def _what(step: str, kind: str) -> str:
    return step.partition("@")[0] or kind


def run(office: Office, folder: Path, *words: str) -> Result:
    """Give a command, as a person would."""
    url = office.engine.url.render_as_string(hide_password=False)
    environment = environment_of(folder / "home", url, "http://127.0.0.1:9")
    environment |= {"DUEBELL_POLICY": str(folder / "policy.toml"), "COLUMNS": "200"}
    return CliRunner().invoke(app, list(words), env=environment)
