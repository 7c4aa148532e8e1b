"""Whether a reminder is sent, when, and why not: pure, and made again right before it goes out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from duebell.hours.working_days import Place
from duebell.model import Contact, Invoice, InvoiceStatus, InvoiceType
from duebell.policy.announced import free_of_announcement
from duebell.policy.ladder import later, promise_over_on, read_step, stage_due
from duebell.policy.reaching import Way
from duebell.policy.reasons import Reason
from duebell.policy.rules import NO_RULE, Route
from duebell.policy.team_verdicts import to_team
from duebell.policy.verdict import Circumstances, Skip, Verdict, arrives_at, to_customer
from duebell.policy.waits import begin_of, free_from, held_until, today_of
from duebell.policy_file.overdue import CreditHolds, InvoiceOverduePolicy, StagePolicy
from duebell.policy_file.shapes import is_listed

WEEK = 7


@dataclass(frozen=True, slots=True)
class Chase:
    """What a decision about one stage of one invoice rests on beside what every decision does.

    ``step`` is the stage and the due date that it was planned for. ``credit`` is the customer's unallocated
    credit in the invoice's currency, ``due`` all that is due of them in it. The last three say when earlier
    reminders went out, to this customer, and to this address, whoever shares it, and when this customer was
    told that the invoice was issued.
    """

    step: str
    route: Route = NO_RULE
    credit: Decimal = Decimal(0)
    due: Decimal = Decimal(0)
    customer_reminded_at: tuple[datetime, ...] = ()
    address_reminded_at: tuple[datetime, ...] = ()
    announced_at: tuple[datetime, ...] = ()


def on_invoice_overdue(
    invoice: Invoice, contact: Contact | None, about: Circumstances, chase: Chase
) -> Verdict:
    """Whether the customer is reminded of an invoice that is overdue, or due soon."""
    untrue = _why_untrue(invoice, about, chase) or _why_spared(invoice, contact, about, chase)
    if untrue:
        return Skip(untrue)
    rules = about.policy.invoice_overdue
    verdict = to_customer(contact, rules, about)
    if isinstance(verdict, Skip):
        return verdict
    place = arrives_at(verdict, rules, about, contact)
    waits = list(_waits(invoice, rules, about, chase, place))
    return held_until(verdict, waits, rules, about, place)


def on_overdue_for_team(invoice: Invoice, team: str, way: Way, about: Circumstances, chase: Chase) -> Verdict:
    """Whether a team of the business is told of a stage at this one of its numbers or addresses.

    The team hears also of what its customer is spared by a rule, a group or a promise. With a
    daily digest it hears once a day: ``address_reminded_at`` are the digests that went to this address.
    """
    untrue = _why_untrue(invoice, about, chase)
    if untrue:
        return Skip(untrue)
    rules, stage = about.policy.team.get(team), _stage(invoice, about, chase)
    if rules is None or stage is None or team not in stage.teams:
        return Skip(Reason.NOT_TOLD_OF_STAGE)
    return to_team(way, rules, about, chase.address_reminded_at)


def _why_untrue(invoice: Invoice, about: Circumstances, chase: Chase) -> Reason:
    """The first reason for which this stage of this invoice is nothing to speak of, to anybody."""
    rules, owed = about.policy.invoice_overdue, invoice.amount_due
    checks = (
        (not rules.enabled, Reason.KIND_OFF),
        (invoice.type is not InvoiceType.SALE, Reason.NOT_A_SALE),
        (invoice.status in {InvoiceStatus.VOIDED, InvoiceStatus.DELETED}, Reason.NO_LONGER_VALID),
        (invoice.status is InvoiceStatus.PAID, Reason.ALREADY_PAID),
        (invoice.status is not InvoiceStatus.AUTHORISED, Reason.NOT_APPROVED),
        (owed is None, Reason.AMOUNT_UNKNOWN),
        ((owed or 0) <= 0, Reason.ALREADY_PAID),
        (invoice.due_on is None, Reason.NO_DUE_DATE),
        (invoice.due_on != read_step(chase.step)[1], Reason.DUE_DATE_MOVED),
        (_stage(invoice, about, chase) is None, Reason.STAGE_PASSED),
        ((owed or 0) < _minimum(invoice, rules), Reason.BELOW_MINIMUM),
    )
    return next((reason for failed, reason in checks if failed), Reason.NONE)


def _why_spared(invoice: Invoice, contact: Contact | None, about: Circumstances, chase: Chase) -> Reason:
    """The first reason for which the customer is never told of it, though others may be."""
    rules, stage = about.policy.invoice_overdue, _stage(invoice, about, chase)
    groups = contact.groups if contact else ()
    checks = (
        (stage is None or not stage.tells_customer, Reason.NOT_TOLD_OF_STAGE),
        (any(is_listed(group, rules.never_groups) for group in groups), Reason.GROUP_NEVER_CHASED),
        (chase.route.silence, Reason.SILENCED_BY_RULE),
    )
    return next((reason for failed, reason in checks if failed), Reason.NONE)


def _stage(invoice: Invoice, about: Circumstances, chase: Chase) -> StagePolicy | None:
    """The stage that was planned, where it is the one for today.

    A person may want an earlier or a later one said, but not a stage before the due date once that is over.
    """
    name, due_on = read_step(chase.step)
    rules, today = about.policy.invoice_overdue, today_of(about)
    if about.forced:
        stages = [stage for stage in rules.stages if stage.days >= 0 or today <= due_on]
        return next((stage for stage in stages if stage.name == name), None)
    stage = stage_due(invoice, rules, today)
    return stage if stage is not None and stage.name == name else None


def _minimum(invoice: Invoice, rules: InvoiceOverduePolicy) -> Decimal:
    return rules.minimum.get(invoice.currency, Decimal(0))


def _waits(
    invoice: Invoice, rules: InvoiceOverduePolicy, about: Circumstances, chase: Chase, place: Place
) -> Iterator[tuple[datetime, Reason]]:
    """For each thing that may hold a reminder back, from when on it no longer does."""
    today, limits = today_of(about), about.policy.limits
    promised = promise_over_on(invoice, rules) or today
    spared = later(today, 1) if _is_in_credit(invoice, rules, chase) else today
    yield begin_of(promised, about.timezone), Reason.PROMISED
    yield begin_of(spared, about.timezone), Reason.IN_CREDIT
    if about.forced:
        return
    customer, address = chase.customer_reminded_at, chase.address_reminded_at
    yield free_from(customer, 1, rules.gap_days, place, about.now), Reason.TOO_SOON
    yield free_of_announcement(invoice, rules, chase.announced_at, place, about), Reason.JUST_ISSUED
    yield free_from(address, limits.reminders_a_day, 1, place, about.now), Reason.TOO_MANY
    yield free_from(address, limits.reminders_a_week, WEEK, place, about.now), Reason.TOO_MANY


def _is_in_credit(invoice: Invoice, rules: InvoiceOverduePolicy, chase: Chase) -> bool:
    match rules.credit:
        case CreditHolds.IGNORE:
            return False
        case CreditHolds.ANY:
            return chase.credit > 0 and chase.credit >= _minimum(invoice, rules)
        case CreditHolds.COVERS:
            return chase.credit >= max(chase.due, invoice.amount_due or Decimal(0))
