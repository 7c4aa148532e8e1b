"""Reminders: the stage that is due today and whom it tells, and the facts that its verdict rests on."""

from datetime import datetime

from duebell.deciding.known import Known
from duebell.deciding.subjects import Case, Subject
from duebell.email.addresses import are_one
from duebell.keys import INVOICE_OVERDUE
from duebell.policy.ladder import read_step, stage_due, step_key
from duebell.policy.overdue import Chase, on_invoice_overdue, on_overdue_for_team
from duebell.policy.reaching import Way, ways_to
from duebell.policy.teams import team_of, way_of, ways_of_team
from duebell.policy.verdict import Circumstances, Reason, Skip, Verdict
from duebell.policy_file.overdue import InvoiceOverduePolicy, StagePolicy
from duebell.policy_file.policy import Policy


def reminders_of(known: Known, policy: Policy, now: datetime) -> tuple[Subject, ...]:
    """The stage that is due today, for each person whom it tells; nothing where nothing is owed at all."""
    rules, invoice = policy.invoice_overdue, known.read.invoice
    if not rules.enabled or not invoice.is_owed:
        return ()
    stage = stage_due(invoice, rules, known.today(now))
    if stage is None or invoice.due_on is None:
        return ()
    step = step_key(stage.name, invoice.due_on)
    told = [""] if stage.tells_customer else []
    for name in stage.teams:
        told += ways_of_team(name, policy.team[name]) if name in policy.team else []
    return tuple(Subject(INVOICE_OVERDUE, invoice.invoice_id, step, recipient) for recipient in told)


def stage_of(step: str, rules: InvoiceOverduePolicy) -> StagePolicy | None:
    """The stage of a step, as the policy has it now."""
    name = read_step(step)[0]
    return next((stage for stage in rules.stages if stage.name == name), None)


def decide_overdue(case: Case) -> Verdict:
    """The rule of a reminder, to the customer or to one address of a team."""
    invoice, recipient = case.known.read.invoice, case.subject.team
    if not recipient:
        return on_invoice_overdue(invoice, case.known.contact, case.about, _customers_chase(case))
    way = way_of(recipient, case.about.policy.team)
    if way is None:
        return Skip(Reason.NOT_TOLD_OF_STAGE)
    if case.about.channels is not None and way.channel not in case.about.channels:
        return Skip(Reason.NO_WAY)
    if case.about.address_told:
        return Skip(Reason.ADDRESS_TOLD)
    return on_overdue_for_team(invoice, team_of(recipient), way, case.about, _teams_chase(case, way))


def _customers_chase(case: Case) -> Chase:
    known, invoice = case.known, case.known.read.invoice
    earlier = [one for one in known.reminders if one.notification_id not in case.own and one.contact_id]
    address = _address_of(known, case.about) if earlier else ""
    told = known.contact_id, case.subject.person
    # What came back was heard by nobody; the telephone may have rung all the same.
    heard = [one for one in earlier if not one.came_back]
    return Chase(
        case.subject.step,
        case.route,
        credit=known.balance.credit_in(invoice.currency),
        due=known.balance.due_with(invoice, known.today(case.about.now)),
        customer_reminded_at=tuple(one.at for one in heard if (one.contact_id, one.person) == told),
        address_reminded_at=tuple(one.at for one in earlier if are_one(one.address, address)),
        announced_at=_announced_at(case),
    )


def _announced_at(case: Case) -> tuple[datetime, ...]:
    """When this person was told that the invoice was issued: now, where that is about to happen."""
    known, now = case.known, case.about.now
    theirs = [one for one in known.announced if one.person == case.subject.person]
    address = _address_of(known, case.about) if theirs else ""
    return tuple(
        one.at or now
        for one in theirs
        if one.at is None or one.contact_id == known.contact_id or are_one(one.address, address)
    )


def _teams_chase(case: Case, way: Way) -> Chase:
    return Chase(case.subject.step, address_reminded_at=case.heard_at(way.address))


def _address_of(known: Known, about: Circumstances) -> str:
    """Where the customer would be told now."""
    if known.contact is None:
        return ""
    listed = [one.value for one in about.policy.invoice_overdue.channels]
    channels = [one for one in listed if about.channels is None or one in about.channels]
    ways = ways_to(known.contact, channels, about.country, about.refusals or {})
    return ways.open[0].address if ways.open else ""
