"""Playing a policy over the past: every decision as the runs make it, at the moments at which they would."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from zoneinfo import ZoneInfo

from duebell.backtest.announcements import Announcements
from duebell.backtest.credit import EVER, Credits
from duebell.backtest.histories import History
from duebell.backtest.said import Message, Outgoing, Words
from duebell.backtest.sweeps import HOUR, Sweeps
from duebell.backtest.unreached import Unreached
from duebell.deciding.deciding import Basis, Rules, decide, subjects_of
from duebell.deciding.grouping import marks_of
from duebell.deciding.known import Known, addresses_of
from duebell.deciding.subjects import Subject
from duebell.keys import INVOICE_OVERDUE, NEEDS_ATTENTION, PAYMENT_RECEIVED
from duebell.ledger.reminders import Reminder
from duebell.policy.ladder import day_of, later
from duebell.policy.teams import ways_of_team
from duebell.policy.verdict import Hold, Reason, Send, Skip
from duebell.policy_file.policy import Policy

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

    def __init__(
        self, histories: Sequence[History], rules: Rules, words: Words, credits: Credits | None = None
    ) -> None:
        self._histories = {one.afterwards.invoice_id: one for one in histories}
        self._of_customer: dict[str, list[History]] = {}
        for one in histories:
            self._of_customer.setdefault(one.known.contact_id or "", []).append(one)
        self._rules, self._words, self._credits = rules, words, credits or Credits()
        self._tenant = histories[0].known.tenant
        self._policy: Policy = rules.policy.for_tenant(self._tenant.tenant_id)
        self._sweeps, self._unreached = Sweeps(self._tenant, self._policy), Unreached()
        self._announcements = Announcements()
        self._due: list[tuple[datetime, bool, int, Due]] = []
        self._end = EVER
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
        self._end = end
        for history in self._histories.values():
            for moment, due in self._begins(history):
                if moment is not None and start <= moment:
                    self._add(moment, due)
        while self._due:
            self._decide(self._due[0][0])
        self._silent[Reason.IN_CREDIT.value] += self._unreached.waiting_for_credit
        return Played(tuple(self._messages), +self._silent)

    def _add(self, moment: datetime, due: Due) -> None:
        if moment < self._end:
            # A sweep looks for what needs somebody once it has decided on the customers' reminders.
            heappush(self._due, (moment, due.kind == NEEDS_ATTENTION, next(self._order), due))

    def _begins(self, history: History) -> Iterator[tuple[datetime | None, Due]]:
        """When something may be owed about an invoice for the first time, or anew."""
        invoice_id = history.afterwards.invoice_id
        stage, attention = Due(invoice_id, INVOICE_OVERDUE), Due(invoice_id, NEEDS_ATTENTION)
        for moment, kind, subject_id in history.news():
            yield moment, Due(invoice_id, kind, subject_id)
        if history.issued_at is not None:
            yield self._sweeps.since(history.issued_at), stage
        days = {one.invoice.due_on for one in history.shown if one.invoice.due_on}
        for each in self._policy.invoice_overdue.stages:
            for due_on in days:
                yield self._sweeps.of_day(day_of(each, due_on)), stage
        for moment in self._changes(history):
            yield self._sweeps.since(moment), stage
            yield self._sweeps.since(moment), attention
        for promised_on in {one.invoice.expected_payment_on for one in history.shown}:
            if promised_on is not None:
                over_on = later(promised_on, self._policy.invoice_overdue.promise_grace_days + 1)
                yield self._sweeps.of_day(over_on), attention

    def _changes(self, history: History) -> Iterator[datetime]:
        """When another version was read; with credit, also of that and of the customer's other invoices."""
        customer = history.known.contact_id or ""
        has_credit = self._credits.has(customer)
        for one in self._of_customer[customer] if has_credit else [history]:
            yield from (version.since for version in one.shown[1:] if version.since is not None)
        yield from self._credits.changes(customer)

    def _decide(self, now: datetime) -> None:
        outgoing: dict[Subject, Outgoing] = {}
        decided: set[Due] = set()
        while self._due and self._due[0][0] == now:
            due = heappop(self._due)[-1]
            if due not in decided:
                decided.add(due)
                outgoing |= {one.subject: one for one in self._of_due(due, now)}
        for members in self._together(list(outgoing.values()), now):
            self._say(members, now)

    def _of_due(self, due: Due, now: datetime) -> Iterator[Outgoing]:
        known = self._histories[due.invoice_id].at(now)
        if known is None:
            return
        customer = known.contact_id or ""
        known = replace(
            known,
            reminders=self._reminders_of(known, now),
            balance=self._credits.balance(customer, self._of_customer.get(customer, []), now),
            untold=self._unreached.of_invoice(due.invoice_id),
            announced=self._announcements.of_invoice(due.invoice_id),
        )
        for subject in self._subjects(due, known, now):
            yield from self._verdict(subject, known, now)

    def _subjects(self, due: Due, known: Known, now: datetime) -> Sequence[Subject]:
        found = (due.subject,) if due.subject else subjects_of(due.kind, known, self._rules, now)
        if due.kind == PAYMENT_RECEIVED and due.subject is None:
            found = tuple(one for one in found if one.subject_id == due.subject_id)
        return [one for one in found if one not in self._said]

    def _verdict(self, subject: Subject, known: Known, now: datetime) -> Iterator[Outgoing]:
        seen_at, waited = self._seen.setdefault(subject, now), self._unreached.waits_for_credit(subject)
        verdict = decide(Basis(subject, known, self._rules, now, seen_at=seen_at))
        self._announcements.note(subject, verdict)
        invoice_id, look = known.read.invoice.invoice_id, self._sweeps.since(now)
        if isinstance(verdict, Skip):
            del self._seen[subject]  # what was left out is seen anew, as in the planning
        if self._unreached.note(invoice_id, subject, verdict, now) and look is not None:
            self._add(look, Due(invoice_id, NEEDS_ATTENTION))
        match verdict:
            case Send():
                yield Outgoing(subject, known, verdict)
            case Hold(not_before=until) if until is not None:
                if now < until:
                    self._add(until, _waits(subject, known))
            case Skip(reason=Reason.STAGE_PASSED) if waited:
                self._silent[Reason.IN_CREDIT.value] += 1
            case Hold(reason=reason) | Skip(reason=reason):
                self._silent[reason.value] += 1

    def _together(self, outgoing: Sequence[Outgoing], now: datetime) -> list[list[Outgoing]]:
        """What one message tells, as the planning groups it."""
        marks = marks_of([(one.subject, one.known) for one in outgoing], self._policy, now)
        groups: dict[object, list[Outgoing]] = {}
        for one, mark in zip(outgoing, marks, strict=True):
            groups.setdefault(mark, []).append(one)
        return list(groups.values())

    def _say(self, members: Sequence[Outgoing], now: datetime) -> None:
        hour = now.replace(minute=0, second=0, microsecond=0)
        if self._hour[hour] >= self._policy.limits.messages_an_hour:
            for one in members:
                self._add(hour + HOUR, _waits(one.subject, one.known))
            return
        self._hour[hour] += 1
        first, to = members[0], members[0].verdict.address
        self._said.update(one.subject for one in members)
        self._announcements.said(first.subject, first.known.contact_id or "", to, now)
        self._remember(first, now)
        day = now.astimezone(ZoneInfo(self._tenant.timezone)).date()
        reminders = [one for one in members if one.subject.kind == INVOICE_OVERDUE]
        had_paid = len(reminders) == len(members) and all(
            self._histories[one.invoice_id].was_paid_before(day) for one in members
        )
        self._messages.append(self._words.message(members, self._policy, now, day, had_paid=had_paid))

    def _remember(self, first: Outgoing, now: datetime) -> None:
        if first.subject.kind != INVOICE_OVERDUE and not first.subject.team:
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
        teams = self._policy.team.items()
        return [way.address for name, team in teams for way in ways_of_team(name, team).values()]


def _waits(subject: Subject, known: Known) -> Due:
    return Due(known.read.invoice.invoice_id, subject.kind, subject=subject)
