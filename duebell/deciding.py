"""The verdict on one notification of any kind: the facts that it rests on, handed to its rule."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from duebell.errors import Permanent
from duebell.keys import INVOICE_ISSUED, PAYMENT_RECEIVED
from duebell.known import Known
from duebell.ledger.tables import Notification
from duebell.policy import Circumstances, Verdict, on_invoice_issued, on_payment_received
from duebell.policy_file import Policy
from duebell.states import Sending, lower


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator decided: the policy, and how far any tenant may send."""

    policy: Policy
    ceiling: Sending


@dataclass(frozen=True, slots=True)
class Subject:
    """What a notification is about: an invoice, or a payment of it."""

    kind: str
    subject_id: str


def subjects_of(kind: str, known: Known) -> tuple[Subject, ...]:
    """What there is to tell of a kind about one invoice."""
    if kind == PAYMENT_RECEIVED:
        return tuple(Subject(kind, one.subject_id) for one in known.payments)
    return (Subject(kind, known.read.invoice.invoice_id),)


def decide(
    subject: Subject, known: Known, rules: Rules, *, seen_at: datetime, forced: bool, now: datetime
) -> Verdict:
    """Whether somebody is told now. ``forced``: a person wants it said, however old it is."""
    rule = RULES.get(subject.kind)
    if rule is None:
        raise Permanent(f"there is no kind of notification {subject.kind!r}")
    about = Circumstances(
        policy=rules.policy,
        sending=lower(rules.ceiling, Sending(known.tenant.sending)),
        country=known.tenant.country,
        timezone=known.tenant.timezone,
        seen_at=seen_at,
        now=now,
        known_before_connecting=_known_before(subject, known) and not forced,
        forced=forced,
        refusals=known.refusals,
    )
    return rule(subject, known, about)


def decide_again(row: Notification, known: Known, rules: Rules, now: datetime) -> Verdict:
    """The verdict on a planned notification as things stand now."""
    subject = Subject(row.kind, row.subject_id)
    return decide(subject, known, rules, seen_at=row.planned_at, forced=row.generation > 0, now=now)


def _known_before(subject: Subject, known: Known) -> bool:
    if subject.kind == PAYMENT_RECEIVED:
        return any(
            one.known_before_connecting for one in known.payments if one.subject_id == subject.subject_id
        )
    return known.read.known_before_connecting


def _issued(_subject: Subject, known: Known, about: Circumstances) -> Verdict:
    return on_invoice_issued(known.read.invoice, known.contact, about)


def _paid(subject: Subject, known: Known, about: Circumstances) -> Verdict:
    payment = known.payment(subject.subject_id)
    return on_payment_received(known.read.invoice, payment, known.contact, about)


RULES: dict[str, Callable[[Subject, Known, Circumstances], Verdict]] = {
    INVOICE_ISSUED: _issued,
    PAYMENT_RECEIVED: _paid,
}
"""The rule of each kind."""
