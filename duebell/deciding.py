"""The verdict on one notification of any kind: the facts that it rests on, handed to its rule."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from duebell.errors import Permanent
from duebell.keys import INVOICE_ISSUED, PAYMENT_RECEIVED, is_contact
from duebell.known import Known
from duebell.ledger.tables import Notification
from duebell.policy import Circumstances, Verdict, on_invoice_issued, on_payment_received
from duebell.policy_file import Policy
from duebell.reaching import EMAIL, SMS
from duebell.states import Sending, lower


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator decided: the policy, how far any tenant may send, and by which channels we can."""

    policy: Policy
    ceiling: Sending
    channels: frozenset[str] = frozenset({SMS, EMAIL})


@dataclass(frozen=True, slots=True)
class Subject:
    """What a notification is about and whom it is for.

    ``subject_id`` is the invoice's id, or that of a payment of it; ``step`` is a stage of the ladder with its
    due date; ``team`` is empty for the customer, else the key's recipient, such as ``team:accounts``.
    """

    kind: str
    subject_id: str
    step: str = ""
    team: str = ""


def subjects_of(kind: str, known: Known, rules: Rules, now: datetime) -> tuple[Subject, ...]:
    """What there is to tell of a kind about one invoice."""
    if kind == PAYMENT_RECEIVED:
        return tuple(Subject(kind, one.subject_id) for one in known.payments)
    return (Subject(kind, known.read.invoice.invoice_id),)


def subject_of(row: Notification) -> Subject:
    """What a notification that stands is about."""
    team = "" if is_contact(row.recipient) else row.recipient
    return Subject(row.kind, row.subject_id, row.step, team)


def decide(
    subject: Subject,
    known: Known,
    rules: Rules,
    *,
    seen_at: datetime,
    forced: bool,
    now: datetime,
    failed: Collection[str] = (),
) -> Verdict:
    """Whether somebody is told now. ``forced``: a person wants it said, however old it is.

    ``failed`` are the channels by which it was tried already, in vain.
    """
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
        channels=rules.channels.difference(failed),
    )
    return rule(subject, known, about)


def decide_again(
    row: Notification, known: Known, rules: Rules, now: datetime, failed: Collection[str] = ()
) -> Verdict:
    """The verdict on a planned notification as things stand now."""
    subject, forced = subject_of(row), row.generation > 0
    return decide(subject, known, rules, seen_at=row.planned_at, forced=forced, now=now, failed=failed)


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
