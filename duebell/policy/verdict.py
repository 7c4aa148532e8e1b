"""Whether a person is told, when, and by which channel: pure decisions over what is known.

The same decision is made when a notification is planned, when it is claimed, and once more right before it
is sent, so that nobody is told something that stopped being true in between.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from duebell.hours.validity import LEAST_ROOM
from duebell.hours.working_days import (
    Place,
    Typed,
    closed_there,
    next_open_instant,
    open_until_instant,
    place_of,
)
from duebell.model import Contact, ContactStatus, Invoice, InvoicePayment, InvoiceStatus, InvoiceType
from duebell.policy.reaching import SMS, Closed, Way, number_tells, ways_to
from duebell.policy.reasons import IN_WORDS, Reason
from duebell.policy_file.policy import Policy
from duebell.policy_file.sections import KindPolicy, MessagePolicy, WindowPolicy
from duebell.policy_file.shapes import CUSTOMER, Channel, is_listed
from duebell.states import Sending

__all__ = ["IN_WORDS", "Circumstances", "Hold", "Reason", "Send", "Skip", "Verdict"]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a decision rests on beside the invoice and its contact.

    ``seen_at`` is when it was first seen; ``forced`` is for what a person wants said, however old it is;
    ``refusals`` maps an address to why it must not be written to (``opted_out`` or ``invalid``);
    ``channels`` are those that can be used now, ``None`` for all of them; ``address_told``: somebody else
    was told of it at the customer's email address, which is none of them then, or at the team's address;
    ``ahead`` is how long a message is held before it goes out, by the channels that hold any.
    """

    policy: Policy
    sending: Sending
    country: str
    timezone: str
    seen_at: datetime
    now: datetime
    known_before_connecting: bool = False
    forced: bool = False
    refusals: Mapping[str, str] | None = None
    channels: Collection[str] | None = None
    address_told: bool = False
    ahead: Mapping[str, timedelta] = field(default_factory=dict[str, timedelta])


@dataclass(frozen=True, slots=True)
class Send:
    """The person is told now; ``others`` are the ways that are left should this one fail.

    ``open_until`` is when the hours for it are over, ``None`` where they last for days.
    """

    address: str
    channel: str = SMS
    others: tuple[Way, ...] = ()
    open_until: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Hold:
    """The person is told later: from ``not_before`` on, or once somebody lifts the hold (``None``).

    ``closed_by`` are the zones whose clocks hold it back, where it is their hours that do.
    """

    reason: Reason
    address: str
    not_before: datetime | None = None
    channel: str = SMS
    others: tuple[Way, ...] = ()
    closed_by: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Skip:
    """The person is not told; ``detail`` is a code that says more, never a number or a name."""

    reason: Reason
    detail: str = ""


Verdict = Send | Hold | Skip


def on_invoice_issued(invoice: Invoice, contact: Contact | None, about: Circumstances) -> Verdict:
    """Whether the customer hears of an issued invoice."""
    rules = about.policy.invoice_issued
    untrue = why_no_news(invoice, rules, about) or _why_not_customer(rules)
    return Skip(untrue) if untrue is not Reason.NONE else to_customer(contact, rules, about)


def on_payment_received(
    invoice: Invoice, payment: InvoicePayment | None, contact: Contact | None, about: Circumstances
) -> Verdict:
    """Whether the customer hears of a payment, which is ``None`` where the invoice no longer lists it.

    A payment may be dated ahead: it is confirmed on its day, on the organisation's calendar.
    """
    rules = about.policy.payment_received
    if payment is None:
        return Skip(Reason.PAYMENT_REMOVED)
    untrue = why_unconfirmed(invoice, payment, rules, about) or _why_not_customer(rules)
    if untrue is not Reason.NONE:
        return Skip(untrue)
    return on_its_day(payment, to_customer(contact, rules, about), about)


def on_its_day(payment: InvoicePayment, verdict: Verdict, about: Circumstances) -> Verdict:
    """The verdict on who hears of a payment, held until its day where that is ahead: it may still bounce."""
    ahead = _start_of(payment.paid_on, about)
    if isinstance(verdict, Skip) or ahead is None or ahead <= about.now:
        return verdict
    later = max(ahead, verdict.not_before or ahead) if isinstance(verdict, Hold) else ahead
    return Hold(Reason.DATED_AHEAD, verdict.address, later, verdict.channel, verdict.others)


def to_customer(contact: Contact | None, rules: MessagePolicy, about: Circumstances) -> Verdict:
    """Whether this customer may be written to about something that is true, when and by which ways."""
    if contact is None:
        return Skip(Reason.NO_CONTACT)
    if contact.status is not ContactStatus.ACTIVE:
        return Skip(Reason.CONTACT_CLOSED)
    unwanted = about.policy.preferences.no_messages_groups
    if any(is_listed(group, unwanted) for group in contact.groups):
        return Skip(Reason.WANTS_NO_MESSAGES)
    channels = [one.value for one in rules.channels if about.channels is None or one.value in about.channels]
    ways = ways_to(contact, channels, about.country, about.refusals or {})
    if not ways.open and about.address_told and Channel.EMAIL in rules.channels:
        return Skip(Reason.ADDRESS_TOLD)
    if not ways.open:
        why, detail = ways.closed[0] if ways.closed else (Closed.NO_WAY, "")
        return Skip(CLOSED[why], detail)
    return to_way(ways.open, rules, about, contact)


def _why_not_customer(rules: KindPolicy) -> Reason:
    return Reason.NONE if CUSTOMER in rules.tell else Reason.NOT_TOLD_OF_STAGE


CLOSED: dict[Closed, Reason] = {
    Closed.NO_WAY: Reason.NO_WAY,
    Closed.NO_PHONE: Reason.NO_PHONE,
    Closed.NO_EMAIL: Reason.NO_EMAIL,
    Closed.OPTED_OUT: Reason.OPTED_OUT,
    Closed.INVALID: Reason.NUMBER_INVALID,
}


def why_no_news(invoice: Invoice, rules: KindPolicy, about: Circumstances) -> Reason:
    """The first reason for which an issued invoice is not, or no longer, worth a message."""
    checks = (
        (not rules.enabled, Reason.KIND_OFF),
        (invoice.type is not InvoiceType.SALE, Reason.NOT_A_SALE),
        (invoice.status in {InvoiceStatus.VOIDED, InvoiceStatus.DELETED}, Reason.NO_LONGER_VALID),
        (invoice.status is InvoiceStatus.PAID, Reason.ALREADY_PAID),
        (invoice.status is not InvoiceStatus.AUTHORISED, Reason.NOT_APPROVED),
        (invoice.amount_due is None, Reason.AMOUNT_UNKNOWN),
        ((invoice.amount_due or 0) <= 0, Reason.ALREADY_PAID),
        (about.known_before_connecting, Reason.KNOWN_BEFORE_CONNECTING),
        (_is_too_old(invoice.issued_on, rules, about), Reason.TOO_OLD),
    )
    return next((reason for failed, reason in checks if failed), Reason.NONE)


def why_unconfirmed(
    invoice: Invoice, payment: InvoicePayment, rules: KindPolicy, about: Circumstances
) -> Reason:
    """The first reason for which a payment is not confirmed."""
    checks = (
        (not rules.enabled, Reason.KIND_OFF),
        (invoice.type is not InvoiceType.SALE, Reason.NOT_A_SALE),
        (invoice.status not in {InvoiceStatus.AUTHORISED, InvoiceStatus.PAID}, Reason.NO_LONGER_VALID),
        (payment.amount <= 0, Reason.NOT_A_PAYMENT),
        (invoice.amount_due is None, Reason.AMOUNT_UNKNOWN),
        (about.known_before_connecting, Reason.KNOWN_BEFORE_CONNECTING),
        (_is_too_old(payment.paid_on, rules, about), Reason.TOO_OLD),
    )
    return next((reason for failed, reason in checks if failed), Reason.NONE)


def _is_too_old(day: date | None, rules: KindPolicy, about: Circumstances) -> bool:
    """Whether it lay too far back when it was first seen; what a person wants said is never too old."""
    if day is None or about.forced:
        return False
    seen_on = about.seen_at.astimezone(ZoneInfo(about.timezone)).date()
    return day < seen_on - timedelta(days=rules.oldest_days)


def _start_of(day: date | None, about: Circumstances) -> datetime | None:
    """The first instant (UTC) of a day on the organisation's calendar."""
    if day is None:
        return None
    return datetime.combine(day, time(), ZoneInfo(about.timezone)).astimezone(UTC)


def to_address(way: Way, rules: WindowPolicy, about: Circumstances) -> Verdict:
    """Whether this one address may be written to, and when."""
    refusal = (about.refusals or {}).get(way.address)
    if refusal is not None:
        return Skip(CLOSED[Closed(refusal)])
    return to_way((way,), rules, about)


def to_way(
    ways: tuple[Way, ...], rules: WindowPolicy, about: Circumstances, contact: Contact | None = None
) -> Verdict:
    """When a person may be written to by the first of these ways; the others follow should it fail.

    ``contact`` is who they are at; none for a team's.
    """
    first, others = ways[0], ways[1:]
    if about.sending is Sending.REVIEW:
        return Hold(Reason.IN_REVIEW, first.address, None, first.channel, others)
    if about.sending is Sending.ALLOWLIST and first.address not in about.policy.sending.allowlist:
        return Hold(Reason.NOT_ON_ALLOWLIST, first.address, None, first.channel, others)
    place = arrives_at(first, rules, about, contact)
    held = about.ahead.get(first.channel, timedelta())
    least = held + LEAST_ROOM if held or first.channel == SMS else timedelta()
    opening = next_open_instant(about.now, rules, place, least)
    if opening > about.now:
        ends = next_open_instant(about.now, rules, place) == about.now
        reason = Reason.WINDOW_ENDS if ends else Reason.OUTSIDE_WINDOW
        closed = closed_there(about.now, rules, place, least)
        return Hold(reason, first.address, opening, first.channel, others, closed)
    return Send(first.address, first.channel, others, open_until_instant(about.now, rules, place))


def arrives_at(
    way: Way | Send | Hold, rules: WindowPolicy, about: Circumstances, contact: Contact | None = None
) -> Place:
    """Whose clocks count for what is told by this way; ``contact`` is who is told, none for a team."""
    number = way.address if way.channel == SMS else number_tells(contact, about.country)
    typed = Typed(contact.country, contact.region) if contact else Typed()
    return place_of(rules, number, typed, about.country, about.timezone)
