"""Which notifications are told in one message: what belongs together for the one who reads it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from duebell.deciding.deciding import route_for, subject_of
from duebell.deciding.deciding_overdue import stage_of
from duebell.deciding.known import Known
from duebell.deciding.routing import country_of, said_as
from duebell.deciding.subjects import Subject
from duebell.keys import INVOICE_OVERDUE, PAYMENT_RECEIVED, is_contact
from duebell.ledger.tables import Notification
from duebell.policy.overdue_groups import Candidate
from duebell.policy.overdue_groups import groups_of as reminders_together
from duebell.policy.teams import team_of
from duebell.policy_file.overdue import LADDER
from duebell.policy_file.policy import Policy
from duebell.policy_file.sections import Digest
from duebell.states import WAITING, NotificationState

MOST_TOGETHER = 20
"""Payments in one message: more would neither be read nor be one transaction's worth of work."""

MOST_REMINDED = 500
"""Reminders in one message, which then only counts them. A message that left some out would give a wrong sum,
and the others could follow days later only."""

Mark = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Notifications that one message tells; the first is the one that is sent."""

    lead: Notification
    members: tuple[Notification, ...]


def groups_of(
    rows: Iterable[Notification], known: Mapping[str, Known], policy: Policy, now: datetime
) -> tuple[Group, ...]:
    """The groups among rows that wait, stand alone so far and were decided alike.

    One that is told by a later channel leads: its own attempts stand under it.
    """
    ordered = sorted(rows, key=lambda row: (-row.leg_position, row.notification_id or 0))
    alone = [row for row in ordered if _stands_alone(row, known)]
    together: dict[Mark, list[Notification]] = {}
    marks = marks_of([(subject_of(row), known[row.invoice_id]) for row in alone], policy, now)
    for row, mark in zip(alone, marks, strict=True):
        # A daily message is put together when its time has come; until then each kind stands by itself.
        apart = () if row.state == NotificationState.PLANNED else (row.kind,)
        together.setdefault((*mark, *apart, *_decided(row)), []).append(row)
    return tuple(
        Group(lead, tuple(others))
        for rows_ in together.values()
        for lead, *others in _chunks(rows_)
        if others
    )


def _chunks(rows: Sequence[Notification]) -> list[Sequence[Notification]]:
    is_payment = rows[0].kind == PAYMENT_RECEIVED and is_contact(rows[0].recipient)
    most = MOST_TOGETHER if is_payment else MOST_REMINDED
    return [rows[start : start + most] for start in range(0, len(rows), most)]


def _stands_alone(row: Notification, known: Mapping[str, Known]) -> bool:
    waits = NotificationState(row.state) in WAITING
    return waits and row.invoice_id in known and row.generation == 0 and row.lead_id is None


def _decided(row: Notification) -> Mark:
    is_held = row.state == NotificationState.HELD and row.not_before
    return row.state, row.reason, row.not_before.isoformat() if is_held and row.not_before else ""


def marks_of(news: Sequence[tuple[Subject, Known]], policy: Policy, now: datetime) -> list[Mark]:
    """For each piece of news a mark that is the same for those that one message tells."""
    marks: dict[int, Mark] = {}
    candidates: dict[int, Candidate] = {}
    for place, (subject, known) in enumerate(news):
        if subject.kind == INVOICE_OVERDUE and not subject.team:
            candidates[place] = _candidate(subject, known, policy, now)
        else:
            marks[place] = _of_team(subject, policy) if subject.team else _of_news(subject, known, policy)
    places = {id(one): place for place, one in candidates.items()}
    found = reminders_together(candidates.values(), together=policy.invoice_overdue.group)
    for number, group in enumerate(found):
        for member in group.members:
            marks[places[id(member)]] = ("reminded", number)
    return [marks[place] for place in range(len(news))]


def _of_news(subject: Subject, known: Known, policy: Policy) -> Mark:
    """Payments alone are told together: a batch payment settles several invoices by one deposit.

    Invoices do not name the batch, and the list of payments that does needs a scope of its own; but what a
    customer paid on one day in one currency is one thing to them, however it was entered.
    """
    payment = known.payment(subject.subject_id) if subject.kind == PAYMENT_RECEIVED else None
    if payment is None or payment.paid_on is None:
        return ("alone", subject)
    said = _said_as(subject, known, policy)
    return "paid", _reader(subject, known), known.read.invoice.currency, payment.paid_on, said


def _of_team(subject: Subject, policy: Policy) -> Mark:
    team = policy.team.get(team_of(subject.team))
    if team is not None and team.digest is Digest.DAILY:
        return (subject.team,)
    return subject.team, subject.kind, subject.subject_id, subject.step


def _candidate(subject: Subject, known: Known, policy: Policy, now: datetime) -> Candidate:
    """A stage that the policy has no more is said by nobody, so any will do for it."""
    stage = stage_of(subject.step, policy.invoice_overdue) or LADDER[0]
    said, today = _said_as(subject, known, policy), known.today(now)
    return Candidate(_reader(subject, known), known.read.invoice, stage, today, said)


def _reader(subject: Subject, known: Known) -> str:
    return f"{known.contact_id or known.read.invoice.invoice_id}/{subject.person}"


def _said_as(subject: Subject, known: Known, policy: Policy) -> Mark:
    """Without rules all that one reader is told of a kind is said in the same way."""
    if not policy.rules:
        return ()
    country = country_of(known.contact, known.tenant.country)
    return said_as(policy, subject.kind, route_for(subject, known, policy), country)
