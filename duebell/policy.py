"""Whether a person is told, when, and by which channel: pure decisions over what is known.

The same decision is made when a notification is planned, when it is claimed, and once more right before it
is sent, so that nobody is told something that stopped being true in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from duebell.model import Contact, ContactStatus, Invoice, InvoicePayment, InvoiceStatus, InvoiceType
from duebell.phone import NoPhone, PhoneFound, best_mobile
from duebell.policy_file import Policy
from duebell.policy_sections import KindPolicy, MessagePolicy, WindowPolicy
from duebell.states import Sending
from duebell.working_days import next_open_instant, place_of


class Reason(StrEnum):
    """Why somebody is not told, or not yet."""

    NONE = ""
    KIND_OFF = "kind_off"
    NOT_A_SALE = "not_a_sale"
    NOT_APPROVED = "not_approved"
    NO_LONGER_VALID = "no_longer_valid"
    ALREADY_PAID = "already_paid"
    KNOWN_BEFORE_CONNECTING = "known_before_connecting"
    TOO_OLD = "too_old"
    AMOUNT_UNKNOWN = "amount_unknown"
    PAYMENT_REMOVED = "payment_removed"
    NOT_A_PAYMENT = "not_a_payment"
    DATED_AHEAD = "dated_ahead"
    NO_CONTACT = "no_contact"
    CONTACT_CLOSED = "contact_closed"
    NO_PHONE = "no_phone"
    OPTED_OUT = "opted_out"
    NUMBER_INVALID = "number_invalid"
    IN_REVIEW = "in_review"
    NOT_ON_ALLOWLIST = "not_on_allowlist"
    OUTSIDE_WINDOW = "outside_window"
    NO_DUE_DATE = "no_due_date"
    DUE_DATE_MOVED = "due_date_moved"
    STAGE_PASSED = "stage_passed"
    NOT_TOLD_OF_STAGE = "not_told_of_stage"
    BELOW_MINIMUM = "below_minimum"
    GROUP_NEVER_CHASED = "group_never_chased"
    SILENCED_BY_RULE = "silenced_by_rule"
    DISPUTED = "disputed"
    PROMISED = "promised"
    IN_CREDIT = "in_credit"
    TOO_SOON = "too_soon"
    TOO_MANY = "too_many"
    DIGEST = "digest"


IN_WORDS: dict[Reason, str] = {
    Reason.NONE: "",
    Reason.KIND_OFF: "this kind of message is switched off in the policy",
    Reason.NOT_A_SALE: "it is not a sales invoice",
    Reason.NOT_APPROVED: "the invoice is not approved",
    Reason.NO_LONGER_VALID: "the invoice was voided or deleted",
    Reason.ALREADY_PAID: "nothing is owed on the invoice any more",
    Reason.KNOWN_BEFORE_CONNECTING: "the invoice stood in Xero before Duebell was connected",
    Reason.TOO_OLD: "it lay further back than the policy's oldest_days when it was first seen",
    Reason.AMOUNT_UNKNOWN: "Xero did not say what is still owed on the invoice",
    Reason.PAYMENT_REMOVED: "the payment was removed again in Xero",
    Reason.NOT_A_PAYMENT: "its amount is not one that somebody paid",
    Reason.DATED_AHEAD: "the payment is dated ahead and is confirmed on its day",
    Reason.NO_CONTACT: "the invoice has no contact",
    Reason.CONTACT_CLOSED: "the contact is not active in Xero: archived, or asked to be forgotten",
    Reason.NO_PHONE: "the contact has no usable mobile number",
    Reason.OPTED_OUT: "the person asked for no more messages",
    Reason.NUMBER_INVALID: "the number turned out to be unusable; change it in Xero",
    Reason.IN_REVIEW: "the organisation is in review and sends nothing: run `duebell go-live`",
    Reason.NOT_ON_ALLOWLIST: "the number is not on the policy's allow-list",
    Reason.OUTSIDE_WINDOW: "it is outside the hours in which this message may go out",
    Reason.NO_DUE_DATE: "the invoice has no due date",
    Reason.DUE_DATE_MOVED: "the due date was moved, and the stages are counted from the new one",
    Reason.STAGE_PASSED: "the stage's days are over, a later stage has come, or the policy has it no more",
    Reason.NOT_TOLD_OF_STAGE: "the policy's tell does not name this recipient at this stage",
    Reason.BELOW_MINIMUM: "less is owed on the invoice than the policy's minimum for its currency",
    Reason.GROUP_NEVER_CHASED: "the customer is in a contact group of the policy's never_groups",
    Reason.SILENCED_BY_RULE: "a rule of the policy leaves this message unsaid",
    Reason.DISPUTED: "the invoice is disputed, and waits until a person has settled that",
    Reason.PROMISED: "Xero has an expected payment date that has not passed yet",
    Reason.IN_CREDIT: "the customer has credit in Xero that is not allocated to an invoice yet",
    Reason.TOO_SOON: "the customer was reminded fewer days ago than the policy's gap_days",
    Reason.TOO_MANY: "this address has had as many reminders as the policy's limits allow",
    Reason.DIGEST: "it waits for the team's daily message",
}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a decision rests on beside the invoice and its contact.

    ``seen_at`` is when it was first seen; ``forced`` is for what a person wants said, however old it is;
    ``refusals`` maps an address to why it must not be written to (``opted_out`` or ``invalid``).
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


@dataclass(frozen=True, slots=True)
class Send:
    """The person is told now."""

    address: str
    channel: str = "sms"


@dataclass(frozen=True, slots=True)
class Hold:
    """The person is told later: from ``not_before`` on, or once somebody lifts the hold (``None``)."""

    reason: Reason
    address: str
    not_before: datetime | None = None
    channel: str = "sms"


@dataclass(frozen=True, slots=True)
class Skip:
    """The person is not told; ``detail`` is a code that says more, never a number or a name."""

    reason: Reason
    detail: str = ""


Verdict = Send | Hold | Skip


def on_invoice_issued(invoice: Invoice, contact: Contact | None, about: Circumstances) -> Verdict:
    """Whether the customer hears of an issued invoice."""
    rules = about.policy.invoice_issued
    untrue = _why_no_news(invoice, rules, about)
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
    untrue = _why_unconfirmed(invoice, payment, rules, about)
    if untrue is not Reason.NONE:
        return Skip(untrue)
    verdict = to_customer(contact, rules, about)
    ahead = _start_of(payment.paid_on, about)
    if isinstance(verdict, Skip) or ahead is None or ahead <= about.now:
        return verdict
    later = max(ahead, verdict.not_before or ahead) if isinstance(verdict, Hold) else ahead
    return Hold(Reason.DATED_AHEAD, verdict.address, later, verdict.channel)


def to_customer(contact: Contact | None, rules: MessagePolicy, about: Circumstances) -> Verdict:
    """Whether this customer may be written to about something that is true, and when."""
    if contact is None:
        return Skip(Reason.NO_CONTACT)
    if contact.status is not ContactStatus.ACTIVE:
        return Skip(Reason.CONTACT_CLOSED)
    match best_mobile(contact.phones, contact.country, about.country):
        case NoPhone(reason=why):
            return Skip(Reason.NO_PHONE, why.value)
        case PhoneFound(e164=number):
            return to_number(number, rules, about)


def _why_no_news(invoice: Invoice, rules: KindPolicy, about: Circumstances) -> Reason:
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


def _why_unconfirmed(
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


def to_number(number: str, rules: WindowPolicy, about: Circumstances) -> Verdict:
    """Whether this number (E.164) may be written to, and when."""
    refusal = (about.refusals or {}).get(number)
    if refusal is not None:
        return Skip(Reason.OPTED_OUT if refusal == "opted_out" else Reason.NUMBER_INVALID)
    if about.sending is Sending.REVIEW:
        return Hold(Reason.IN_REVIEW, number)
    if about.sending is Sending.ALLOWLIST and number not in about.policy.sending.allowlist:
        return Hold(Reason.NOT_ON_ALLOWLIST, number)
    opening = next_open_instant(about.now, rules, place_of(rules, number, "", about.country, about.timezone))
    if opening > about.now:
        return Hold(Reason.OUTSIDE_WINDOW, number, opening)
    return Send(number)
