"""Why nothing stands about an invoice: what is not owed, not yet, or not any more, and when it will be."""

from collections.abc import Collection, Iterator
from datetime import date, datetime

from duebell.deciding.deciding import Basis, Rules, decide, route_for, subjects_of
from duebell.deciding.known import Known
from duebell.deciding.subjects import Subject
from duebell.keys import INVOICE_OVERDUE, NEEDS_ATTENTION, PAYMENT_RECEIVED
from duebell.model import Invoice, InvoiceStatus
from duebell.policy.ladder import day_of, promise_over_on, stage_due
from duebell.policy.verdict import IN_WORDS, Reason, Skip
from duebell.policy_file.overdue import InvoiceOverduePolicy
from duebell.showing.facts_in_words import When, day_in_words, rule_in_words, verdict_in_words, whom


def why_silent(
    kind: str, known: Known, rules: Rules, now: datetime, told: Collection[Subject], when: When
) -> Iterator[str]:
    """A sentence for each message about a sales invoice that does not stand; ``told`` are those that do."""
    if kind == INVOICE_OVERDUE:
        own = rules.policy.for_tenant(known.tenant.tenant_id).invoice_overdue
        yield from _of_ladder(known.read.invoice, own, known.today(now))
    subjects = subjects_of(kind, known, rules, now)
    if kind == PAYMENT_RECEIVED:
        subjects = tuple(one for one in subjects if known.payment(one.subject_id))
        if not subjects and not told:
            yield "no payment of it is known"
    for subject in subjects:
        if subject not in told:
            yield _undecided(Basis(subject, known, rules, now, seen_at=now), when)


def _undecided(basis: Basis, when: When) -> str:
    """What would be decided now; nothing was written down because nobody has looked at it yet."""
    subject, verdict = basis.subject, decide(basis)
    stage = f"stage {subject.step.partition('@')[0]}, " if subject.step else ""
    said = f"{stage}to the {whom(subject)}: {verdict_in_words(verdict, when, basis.now)}"
    if isinstance(verdict, Skip):
        return said
    rule = "" if subject.team else f"; {rule_in_words(route_for(subject, basis.known, basis.policy))}"
    by = "sweep" if subject.kind in {INVOICE_OVERDUE, NEEDS_ATTENTION} else "event or poll"
    return f"{said}, once the next {by} has looked at it{rule}"


def _of_ladder(invoice: Invoice, rules: InvoiceOverduePolicy, today: date) -> Iterator[str]:
    """Where the invoice stands on the ladder, where no stage of it is due today."""
    off = _why_not_chased(invoice, rules)
    if off:
        yield off
        return
    if stage_due(invoice, rules, today) is not None or invoice.due_on is None:
        return
    days = [(stage.name, day_of(stage, invoice.due_on)) for stage in rules.stages]
    ahead = [(name, day) for name, day in days if day > today]
    if ahead:
        name, day = ahead[0]
        promise = _promise(invoice, rules, day)
        yield f"no stage is due: the next, {name}, comes on {day_in_words(day)}{promise}"
    elif days:
        yield f"the ladder is over: the days of its last stage, {days[-1][0]}, have passed"


def _promise(invoice: Invoice, rules: InvoiceOverduePolicy, day: date) -> str:
    over = promise_over_on(invoice, rules)
    return f", held by the promise until {day_in_words(over)}" if over and over > day else ""


def _why_not_chased(invoice: Invoice, rules: InvoiceOverduePolicy) -> str:
    checks = (
        (not rules.enabled, Reason.KIND_OFF),
        (invoice.status in {InvoiceStatus.VOIDED, InvoiceStatus.DELETED}, Reason.NO_LONGER_VALID),
        (invoice.status is InvoiceStatus.PAID, Reason.ALREADY_PAID),
        (invoice.status is not InvoiceStatus.AUTHORISED, Reason.NOT_APPROVED),
        (invoice.amount_due is not None and invoice.amount_due <= 0, Reason.ALREADY_PAID),
        (invoice.due_on is None, Reason.NO_DUE_DATE),
    )
    reason = next((reason for failed, reason in checks if failed), None)
    if reason is None and not rules.stages:
        return "the policy has no stages"
    return IN_WORDS[reason] if reason else ""
