"""Playing a policy over the past: every decision as the runs make it, at the moments at which they would."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from heapq import heappop, heappush
from itertools import count
from zoneinfo import ZoneInfo

from duebell.backtest.histories import History
from duebell.backtest.said import Message, Outgoing, Words
from duebell.deciding import Basis, Rules, decide, subjects_of
from duebell.grouping import marks_of
from duebell.keys import INVOICE_OVERDUE, PAYMENT_RECEIVED
from duebell.known import Known, addresses_of
from duebell.ladder import day_of
from duebell.ledger.reminders import Reminder
from duebell.policy import Hold, Send, Skip
from duebell.policy_file import Policy
from duebell.subjects import Subject
from duebell.teams import way_of
from duebell.working_days import Place, next_open_instant

HOUR = timedelta(hours=1)
FAR = timedelta(days=100)
"""Longer than any gap between reminders that a policy may ask for."""


@dataclass(frozen=True, slots=True)
class Due:
    """Something to be decided: all of a kind about an invoice, or one subject that waited."""

    invoice_id: str
    kind: str
    subject_id: str = ""
    subject: Subject | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """All messages of a time, and how often each reason left something unsaid or waiting for a person."""

    messages: tuple[Message, ...]
    silent: Mapping[str, int]


class Play:
    """One tenant's invoices and one policy."""

    def __init__(self, histories: Sequence[History], rules: Rules, words: Words) -> None:
        self._histories = {one.afterwards.invoice_id: one for one in histories}
        self._rules, self._words = rules, words
        self._tenant = histories[0].known.tenant
        self._policy: Policy = rules.policy.for_tenant(self._tenant.tenant_id)
        self._due: list[tuple[datetime, int, Due]] = []
        self._messages: list[Message] = []
        self._seen: dict[Subject, datetime] = {}
        self._said: set[Subject] = set()
        self._order = count()
        self._silent = Counter[str]()
        self._hour = Counter[datetime]()
        self._reminders: dict[str, list[Reminder]] = {}
        self._addresses: dict[str, list[str]] = {}

    def through(self, start: datetime, end: datetime) -> Played:
        """Everything from ``start`` to before ``end``."""
        for history in self._histories.values():
            for moment, due in self._begins(history):
                if start <= moment < end:
                    self._add(moment, due)
        while self._due:
            moment = self._due[0][0]
            at_once: dict[Due, None] = {}
            while self._due and self._due[0][0] == moment:
                at_once[heappop(self._due)[2]] = None
            self._decide(moment, list(at_once), end)
        return Played(tuple(self._messages), self._silent)

    def _add(self, moment: datetime, due: Due) -> None:
        heappush(self._due, (moment, next(self._order), due))

    def _begins(self, history: History) -> Iterator[tuple[datetime, Due]]:
        """When something may be owed about an invoice for the first time, or anew."""
        invoice_id = history.afterwards.invoice_id
        for moment, kind, subject_id in history.news():
            yield moment, Due(invoice_id, kind, subject_id)
        days = {one.invoice.due_on for one in history.shown if one.invoice.due_on}
        for stage in self._policy.invoice_overdue.stages:
            for due_on in days:
                yield self._sweep_of(day_of(stage, due_on)), Due(invoice_id, INVOICE_OVERDUE)
        for one in history.shown[1:]:
            if one.since is not None:
                yield self._sweep_from(one.since), Due(invoice_id, INVOICE_OVERDUE)

    def _sweep_of(self, day: date) -> datetime:
        zone = ZoneInfo(self._tenant.timezone)
        return self._sweep_from(datetime.combine(day, time(), zone).astimezone(UTC))

    def _sweep_from(self, moment: datetime) -> datetime:
        """The first sweep from a moment on: they come on the hour, in the organisation's hours."""
        place = Place((self._tenant.timezone,), self._tenant.country)
        rules = self._policy.invoice_overdue
        on_the_hour = moment.replace(minute=0, second=0, microsecond=0)
        return next_open_instant(on_the_hour if on_the_hour == moment else on_the_hour + HOUR, rules, place)

    def _decide(self, now: datetime, at_once: Sequence[Due], end: datetime) -> None:
        outgoing: list[Outgoing] = []
        for due in at_once:
            known = self._histories[due.invoice_id].at(now)
            if known is None:
                continue
            known = replace(known, reminders=self._reminders_of(known, now))
            for subject in self._subjects(due, known, now):
                outgoing += self._verdict(subject, known, now, end)
        for members in self._together(outgoing):
            self._say(members, now, end)

    def _subjects(self, due: Due, known: Known, now: datetime) -> Sequence[Subject]:
        found = (due.subject,) if due.subject else subjects_of(due.kind, known, self._rules, now)
        if due.kind == PAYMENT_RECEIVED and due.subject is None:
            found = tuple(one for one in found if one.subject_id == due.subject_id)
        return [one for one in found if one not in self._said]

    def _verdict(self, subject: Subject, known: Known, now: datetime, end: datetime) -> Iterator[Outgoing]:
        seen_at = self._seen.setdefault(subject, now)
        match decide(Basis(subject, known, self._rules, now, seen_at=seen_at)):
            case Send() as verdict:
                yield Outgoing(subject, known, verdict)
            case Hold(not_before=later) if later is not None:
                if now < later < end:
                    self._add(later, _waits(subject, known))
            case Hold(reason=reason) | Skip(reason=reason):
                self._silent[reason.value] += 1

    def _together(self, outgoing: Sequence[Outgoing]) -> list[list[Outgoing]]:
        """What one message tells, as the planning groups it."""
        reminders = [one for one in outgoing if one.subject.kind == INVOICE_OVERDUE]
        marks = marks_of([(one.subject, one.known) for one in reminders], self._policy)
        groups: dict[object, list[Outgoing]] = {}
        for one, mark in zip(reminders, marks, strict=True):
            groups.setdefault((mark, one.subject.person), []).append(one)
        for one in outgoing:
            if one.subject.kind != INVOICE_OVERDUE:
                groups.setdefault(_mark(one), []).append(one)
        return list(groups.values())

    def _say(self, members: Sequence[Outgoing], now: datetime, end: datetime) -> None:
        hour = now.replace(minute=0, second=0, microsecond=0)
        if self._hour[hour] >= self._policy.limits.messages_an_hour:
            for one in members:
                if hour + HOUR < end:
                    self._add(hour + HOUR, _waits(one.subject, one.known))
            return
        self._hour[hour] += 1
        first = members[0]
        self._said.update(one.subject for one in members)
        self._remember(first, now)
        day = now.astimezone(ZoneInfo(self._tenant.timezone)).date()
        had_paid = first.subject.kind == INVOICE_OVERDUE and all(
            self._histories[one.invoice_id].was_paid_before(day) for one in members
        )
        self._messages.append(self._words.message(members, self._policy, now, day, had_paid=had_paid))

    def _remember(self, first: Outgoing, now: datetime) -> None:
        if first.subject.kind != INVOICE_OVERDUE:
            return
        contact_id = "" if first.subject.team else first.known.contact_id or ""
        told = Reminder(len(self._messages) + 1, now, first.verdict.address, contact_id, first.subject.person)
        for key in {contact_id, first.verdict.address} - {""}:
            self._reminders.setdefault(key, []).append(told)

    def _reminders_of(self, known: Known, now: datetime) -> tuple[Reminder, ...]:
        contact_id = known.contact_id or ""
        if contact_id not in self._addresses:
            self._addresses[contact_id] = addresses_of(known)
        keys = [contact_id, *self._addresses[contact_id], *self._team_addresses()]
        found = {id(one): one for key in keys for one in self._reminders.get(key, ())[-20:]}
        return tuple(one for one in found.values() if one.at > now - FAR)

    def _team_addresses(self) -> list[str]:
        ways = (way_of(f"team:{name}", self._policy.team) for name in self._policy.team)
        return [way.address for way in ways if way]


def _waits(subject: Subject, known: Known) -> Due:
    return Due(known.read.invoice.invoice_id, subject.kind, subject=subject)


def _mark(one: Outgoing) -> object:
    """A payment's message tells of all that the customer paid on that day in that currency."""
    payment = one.known.payment(one.subject.subject_id) if one.subject.kind == PAYMENT_RECEIVED else None
    if payment is None:
        return one.subject
    currency = one.known.read.invoice.currency
    return one.subject.kind, one.known.contact_id, one.subject.person, currency, payment.paid_on
