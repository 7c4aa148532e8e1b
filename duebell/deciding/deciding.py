"""The verdict on one notification of any kind: the facts that it rests on, handed to its rule."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from duebell.deciding.attention import attention_of, decide_attention
from duebell.deciding.deciding_overdue import decide_overdue, reminders_of
from duebell.deciding.known import Known
from duebell.deciding.routing import route_of, routed
from duebell.deciding.subjects import Case, Subject, is_told_at_email, is_told_to_team, refusals_for
from duebell.deciding.team_cases import tell_team_of_news
from duebell.errors import Permanent
from duebell.hours.scheduling import ahead
from duebell.keys import (
    INVOICE_ISSUED,
    INVOICE_OVERDUE,
    NEEDS_ATTENTION,
    PAYMENT_RECEIVED,
    is_contact,
    person_of,
)
from duebell.ledger.tables import Notification
from duebell.model import Contact
from duebell.policy.persons import addressee, persons_of
from duebell.policy.reaching import EMAIL, SMS
from duebell.policy.rules import NO_RULE, Route
from duebell.policy.teams import ways_of_team
from duebell.policy.verdict import (
    Circumstances,
    Reason,
    Skip,
    Verdict,
    on_invoice_issued,
    on_its_day,
    on_payment_received,
    why_no_news,
    why_unconfirmed,
)
from duebell.policy_file.policy import Policy
from duebell.policy_file.sections import MessagePolicy
from duebell.policy_file.shapes import Channel, Manner
from duebell.states import Sending, lower

__all__ = [
    "RULES",
    "Basis",
    "Rules",
    "Subject",
    "basis_again",
    "decide",
    "route_for",
    "subject_of",
    "subjects_of",
]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator decided: the policy, how far any tenant may send, and by which channels we can.

    ``text`` is the policy's file as it was written; empty for one that was made without a file.
    ``schedules``: by which channels a provider can hold messages for us. Twilio takes a Messaging Service
    for that; emails SendGrid alone can hold.
    """

    policy: Policy
    ceiling: Sending
    channels: frozenset[str] = frozenset({SMS, EMAIL})
    text: str = field(default="", repr=False)
    schedules: frozenset[str] = frozenset()

    def held_for(self, tenant_id: str, kind: str, *, forced: bool) -> dict[str, timedelta]:
        """How long a message of this kind is held, by channel: not one that a person wants said now."""
        wants = self.policy.for_tenant(tenant_id).of_kind(kind).sending is Manner.HOLD
        return dict.fromkeys(self.schedules, ahead(self.policy.hold)) if wants and not forced else {}


@dataclass(frozen=True, slots=True)
class Basis:
    """All that a verdict rests on. ``forced``: a person wants it said, however old it is.

    ``seen_at`` is when it was first seen; ``failed`` are the channels by which it was tried in vain; ``own``
    the ids under which its message stands.
    """

    subject: Subject
    known: Known
    rules: Rules
    now: datetime
    seen_at: datetime
    forced: bool = False
    failed: frozenset[str] = frozenset()
    own: tuple[int | None, ...] = ()

    @property
    def policy(self) -> Policy:
        """The policy of the tenant."""
        return self.rules.policy.for_tenant(self.known.tenant.tenant_id)


def subjects_of(kind: str, known: Known, rules: Rules, now: datetime) -> tuple[Subject, ...]:
    """What there is to tell of a kind about one invoice."""
    policy = rules.policy.for_tenant(known.tenant.tenant_id)
    if kind == INVOICE_OVERDUE:
        found = reminders_of(known, policy, now)
    elif kind == NEEDS_ATTENTION:
        found = attention_of(known, policy, now)
    else:
        found = _news(kind, known, policy)
    return (*found, *(further for one in found for further in _to_persons(one, known, rules)))


def _news(kind: str, known: Known, policy: Policy) -> tuple[Subject, ...]:
    """What happened to the invoice, for the customer and for each team that hears of it."""
    ids = [known.read.invoice.invoice_id]
    if kind == PAYMENT_RECEIVED:
        ids = [one.subject_id for one in known.payments]
    told = ["", *(way for name in policy.news[kind].teams for way in ways_of_team(name, policy.team[name]))]
    return tuple(Subject(kind, one, team=recipient) for one in ids for recipient in told)


def _to_persons(subject: Subject, known: Known, rules: Rules) -> Iterator[Subject]:
    """The same for the further persons at the customer, where such a message may go by email."""
    persons = () if subject.team else persons_of(known.contact)
    if persons and EMAIL in rules.channels:
        section = _section(subject, known, rules.policy.for_tenant(known.tenant.tenant_id))
        if section.contact_persons and Channel.EMAIL in section.channels:
            yield from (replace(subject, person=person) for person in persons)


def _section(subject: Subject, known: Known, policy: Policy) -> MessagePolicy:
    return routed(policy, subject.kind, route_for(subject, known, policy)).of_kind(subject.kind)


def subject_of(row: Notification) -> Subject:
    """What a notification that stands is about."""
    team = "" if is_contact(row.recipient) else row.recipient
    return Subject(row.kind, row.subject_id, row.step, team, person_of(row.recipient))


def route_for(subject: Subject, known: Known, policy: Policy) -> Route:
    """What the rules of the tenant's policy say; they are about customers, and say nothing of a team's."""
    if subject.team:
        return NO_RULE
    return route_of(subject.kind, subject.subject_id, subject.step, known, policy)


def decide(basis: Basis) -> Verdict:
    """Whether somebody is told now."""
    subject, known, rules, policy = basis.subject, basis.known, basis.rules, basis.policy
    route, contact = route_for(subject, known, policy), addressee(known.contact, subject.person)
    if subject.person and (contact is None or not policy.of_kind(subject.kind).contact_persons):
        return Skip(Reason.PERSON_LEFT_OUT)
    channels = _channels(subject, rules).difference(basis.failed)
    address_told = not basis.forced and _is_told(subject, contact, known, policy)
    about = Circumstances(
        policy=routed(policy, subject.kind, route),
        sending=lower(rules.ceiling, Sending(known.tenant.sending)),
        country=known.tenant.country,
        timezone=known.tenant.timezone,
        seen_at=basis.seen_at,
        now=basis.now,
        known_before_connecting=_known_before(subject, known) and not basis.forced,
        forced=basis.forced,
        refusals=refusals_for(subject, known, policy),
        channels=channels - {EMAIL} if address_told and not subject.team else channels,
        address_told=address_told,
        ahead=rules.held_for(known.tenant.tenant_id, subject.kind, forced=basis.forced),
    )
    case = Case(subject, replace(known, contact=contact), about, route, frozenset(basis.own))
    return _unless_silenced(case)


def _is_told(subject: Subject, contact: Contact | None, known: Known, policy: Policy) -> bool:
    """Whether it was told under another key at the address that this one has now."""
    if subject.team:
        return is_told_to_team(subject, known, policy.team)
    return is_told_at_email(contact, subject, known)


def _channels(subject: Subject, rules: Rules) -> frozenset[str]:
    """A further person has no number in Xero."""
    return rules.channels & {EMAIL} if subject.person else rules.channels


def basis_again(
    row: Notification, known: Known, rules: Rules, now: datetime, failed: Collection[str] = ()
) -> Basis:
    """What a planned notification is decided on as things stand now."""
    return Basis(
        subject_of(row),
        known,
        rules,
        now,
        seen_at=row.planned_at,
        forced=row.generation > 0,
        failed=frozenset(failed),
        own=own_of(row),
    )


def own_of(row: Notification | None) -> tuple[int | None, ...]:
    """The ids under which what went out of this notification stands."""
    return (row.notification_id, row.lead_id) if row else ()


def _known_before(subject: Subject, known: Known) -> bool:
    if subject.kind == PAYMENT_RECEIVED:
        return any(
            one.known_before_connecting for one in known.payments if one.subject_id == subject.subject_id
        )
    return known.read.known_before_connecting


def _issued(case: Case) -> Verdict:
    invoice, rules = case.known.read.invoice, case.about.policy.invoice_issued
    if case.subject.team:
        untrue = why_no_news(invoice, rules, case.about)
        return tell_team_of_news(case, rules, untrue, invoice.total)
    return on_invoice_issued(invoice, case.known.contact, case.about)


def _paid(case: Case) -> Verdict:
    invoice, rules = case.known.read.invoice, case.about.policy.payment_received
    payment = case.known.payment(case.subject.subject_id)
    if not case.subject.team:
        return on_payment_received(invoice, payment, case.known.contact, case.about)
    if payment is None:
        return Skip(Reason.PAYMENT_REMOVED)
    untrue = why_unconfirmed(invoice, payment, rules, case.about)
    return on_its_day(payment, tell_team_of_news(case, rules, untrue, payment.amount), case.about)


def _unless_silenced(case: Case) -> Verdict:
    """The verdict of the kind's rule; why it is untrue goes before that nobody wants it said."""
    rule = RULES.get(case.subject.kind)
    if rule is None:
        raise Permanent(f"there is no kind of notification {case.subject.kind!r}")
    verdict = rule(case)
    return Skip(Reason.SILENCED_BY_RULE) if case.route.silence and not isinstance(verdict, Skip) else verdict


RULES: dict[str, Callable[[Case], Verdict]] = {
    INVOICE_ISSUED: _issued,
    PAYMENT_RECEIVED: _paid,
    INVOICE_OVERDUE: decide_overdue,
    NEEDS_ATTENTION: decide_attention,
}
"""The rule of each kind."""
