"""Every message that could be made of a customer's invoices, whenever it would be its time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from duebell.deciding.deciding import route_for
from duebell.deciding.deciding_overdue import stage_of
from duebell.deciding.known import Known
from duebell.deciding.routing import country_of, language_for, said_as
from duebell.deciding.subjects import Subject
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, NEEDS_ATTENTION, PAYMENT_RECEIVED, team_recipient
from duebell.lint import team_tellings
from duebell.policy.ladder import day_of, later, step_key
from duebell.policy.teams import team_of
from duebell.policy_file.overdue import StagePolicy
from duebell.policy_file.policy import Policy
from duebell.render.wording import Telling, Told
from duebell.render.wording_overdue import FIRM_FROM
from duebell.render.wording_shapes import is_past_due


@dataclass(frozen=True, slots=True)
class Sample:
    """One message that could be, and what a finding calls it: its invoice, or that it is invented."""

    telling: Telling
    called: str

    @property
    def mark(self) -> object:
        """What is the same for two messages that the templates are given the same kind of values for."""
        telling, subject = self.telling, self.telling.subject
        news = tuple(_news_of(one.subject) for one in telling.told)
        said = (telling.route.template, telling.route.channels, telling.route.tone)
        reminds = subject.kind == INVOICE_OVERDUE
        stage = stage_of(subject.step, telling.policy.invoice_overdue) if reminds else None
        days, due_on = stage.days if stage else 0, telling.first.read.invoice.due_on
        late = (telling.today - due_on).days if stage and due_on else 0
        is_late = is_past_due(telling) if subject.kind == INVOICE_ISSUED else late > 0
        return news, said, telling.language, is_late, late == 1, days >= FIRM_FROM

    @property
    def is_counted(self) -> bool:
        """Whether its length is something to remark on: of a team's news the link alone is half an SMS."""
        return not self.telling.subject.team or {INVOICE_OVERDUE} == {
            one.subject.kind for one in self.telling.told
        }


def _news_of(subject: Subject) -> tuple[str, str, str, str]:
    """A stage is told from another by its days alone; what needs somebody by what it is."""
    step = subject.step if subject.kind == NEEDS_ATTENTION else ""
    return subject.kind, subject.subject_id, subject.team, step


def samples(known: Sequence[Known], policy: Policy, called: str, now: datetime) -> Iterator[Sample]:
    """The messages about one customer's invoices: of each alone, and of those that are told together.

    A message that a rule leaves unsaid is none.
    """
    every = [*_alone(known, policy, now), *_together(known, policy), *_of_teams(known, policy, now)]
    for told, today in every:
        first = told[0]
        route = route_for(first.subject, first.known, policy)
        if not route.silence:
            name = called or first.known.read.invoice.number or first.known.read.invoice.invoice_id
            telling = Telling(tuple(told), policy, route, today)
            team = team_of(first.subject.team) if first.subject.team else ""
            language = language_for(policy, route, telling.country, team)
            yield Sample(replace(telling, language=language), name)


def _alone(known: Sequence[Known], policy: Policy, now: datetime) -> Iterator[tuple[list[Told], date]]:
    for one in known:
        invoice, today = one.read.invoice, one.today(now)
        if policy.invoice_issued.enabled and one.contact is not None:
            issued = [Told(Subject(INVOICE_ISSUED, invoice.invoice_id), one)]
            yield from ((issued, day) for day in _days_of_issue(one, today))
        for payment in one.payments if policy.payment_received.enabled and one.contact is not None else ():
            if one.payment(payment.subject_id) is not None:
                yield [Told(Subject(PAYMENT_RECEIVED, payment.subject_id), one)], today
        for stage in _stages(one, policy):
            for team in _recipients(stage, one):
                told = [_reminder(one, stage, team)]
                yield from ((told, day) for day in _days(told, stage))


def _days_of_issue(one: Known, today: date) -> list[date]:
    """The days on which an issue is said in other words: it may be told of after the due date too."""
    due_on = one.read.invoice.due_on
    return [today] if due_on is None else [min(today, due_on), max(today, later(due_on, 1))]


def _together(known: Sequence[Known], policy: Policy) -> Iterator[tuple[list[Told], date]]:
    """What one message says of all invoices of a currency that the rules have said alike, and to a team of
    all.
    """
    for stage in policy.invoice_overdue.stages:
        lots: dict[object, list[Told]] = {}
        for one in known:
            if stage in _stages(one, policy):
                for team in _recipients(stage, one):
                    told = _reminder(one, stage, team)
                    lots.setdefault(team or _mark(told, policy), []).append(told)
        for told in lots.values():
            if len(told) > 1:
                yield from ((told, day) for day in _days(told, stage))


def _mark(told: Told, policy: Policy) -> object:
    route, country = route_for(told.subject, told.known, policy), told.known.tenant.country
    said = said_as(policy, INVOICE_OVERDUE, route, country_of(told.known.contact, country))
    return told.known.read.invoice.currency, said


def _of_teams(known: Sequence[Known], policy: Policy, now: datetime) -> Iterator[tuple[list[Told], date]]:
    """What the teams hear of beside the stages, each piece alone and a day of all."""
    every = [told for one in known for told in team_tellings.news(one, policy)]
    for told in every:
        yield [told], told.known.today(now)
    stages = [
        _reminder(one, stage, team)
        for one in known
        for stage in _stages(one, policy)
        for team in _recipients(stage, one)
        if team
    ]
    latest = {(one.subject.subject_id, one.subject.team): one for one in stages}
    for day in team_tellings.days([*every, *latest.values()], policy):
        yield day, max(one.known.read.invoice.due_on or one.known.today(now) for one in day)


def _stages(one: Known, policy: Policy) -> Sequence[StagePolicy]:
    invoice, rules = one.read.invoice, policy.invoice_overdue
    is_owed = rules.enabled and invoice.due_on is not None and (invoice.amount_due or 0) > 0
    return rules.stages if is_owed else ()


def _recipients(stage: StagePolicy, one: Known) -> list[str]:
    customer = [""] if stage.tells_customer and one.contact is not None else []
    return customer + [team_recipient(name) for name in stage.teams]


def _reminder(one: Known, stage: StagePolicy, team: str) -> Told:
    invoice = one.read.invoice
    step = step_key(stage.name, invoice.due_on or date.max)
    return Told(Subject(INVOICE_OVERDUE, invoice.invoice_id, step, team), one)


def _days(told: Sequence[Told], stage: StagePolicy) -> list[date]:
    """The days on which a stage is said in other words: that of the due date is said after it too."""
    days = [day_of(stage, one.known.read.invoice.due_on or date.max) for one in told]
    if stage.days > 0:
        return [max(days)]
    return [min(days), later(max(days), 1)] if stage.days == 0 else [min(days)]
