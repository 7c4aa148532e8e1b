"""Whether a person is told, when, and by which channel: pure decisions over what is known.

The same decision is made when a notification is planned, when it is claimed, and once more right before it
is sent, so that nobody is told something that stopped being true in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from duebell.model import Contact, ContactStatus, Invoice, InvoiceStatus, InvoiceType
from duebell.phone import NoPhone, PhoneFound, best_mobile
from duebell.policy_file import Policy
from duebell.states import Sending
from duebell.window import next_open, zones_of_number


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
    NO_CONTACT = "no_contact"
    CONTACT_CLOSED = "contact_closed"
    NO_PHONE = "no_phone"
    OPTED_OUT = "opted_out"
    NUMBER_INVALID = "number_invalid"
    IN_REVIEW = "in_review"
    NOT_ON_ALLOWLIST = "not_on_allowlist"
    OUTSIDE_WINDOW = "outside_window"


IN_WORDS: dict[Reason, str] = {
    Reason.NONE: "",
    Reason.KIND_OFF: "this kind of message is switched off in the policy",
    Reason.NOT_A_SALE: "it is not a sales invoice",
    Reason.NOT_APPROVED: "the invoice is not approved",
    Reason.NO_LONGER_VALID: "the invoice was voided or deleted",
    Reason.ALREADY_PAID: "nothing is owed on the invoice any more",
    Reason.KNOWN_BEFORE_CONNECTING: "the invoice stood in Xero before Duebell was connected",
    Reason.TOO_OLD: "the invoice was older than the policy's oldest_days when it was first seen",
    Reason.NO_CONTACT: "the invoice has no contact",
    Reason.CONTACT_CLOSED: "the contact is archived or asked to be forgotten",
    Reason.NO_PHONE: "the contact has no usable mobile number",
    Reason.OPTED_OUT: "the person asked for no more messages",
    Reason.NUMBER_INVALID: "the number turned out to be unusable; change it in Xero",
    Reason.IN_REVIEW: "the organisation is in review and sends nothing: run `duebell go-live`",
    Reason.NOT_ON_ALLOWLIST: "the number is not on the policy's allow-list",
    Reason.OUTSIDE_WINDOW: "it is outside the hours in which this message may go out",
}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a decision rests on beside the invoice and its contact.

    ``seen_at`` is when the invoice was first seen issued; ``refusals`` maps an address to why it must not
    be written to (``opted_out`` or ``invalid``).
    """

    policy: Policy
    sending: Sending
    country: str
    timezone: str
    seen_at: datetime
    now: datetime
    known_before_connecting: bool = False
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
    untrue = _why_untrue(invoice, about)
    if untrue is not Reason.NONE:
        return Skip(untrue)
    if contact is None:
        return Skip(Reason.NO_CONTACT)
    if contact.status in {ContactStatus.ARCHIVED, ContactStatus.GDPR_REQUEST}:
        return Skip(Reason.CONTACT_CLOSED)
    match best_mobile(contact.phones, contact.country, about.country):
        case NoPhone(reason=why):
            return Skip(Reason.NO_PHONE, why.value)
        case PhoneFound(e164=number):
            return _when(number, about)


def _why_untrue(invoice: Invoice, about: Circumstances) -> Reason:
    """The first reason for which the message would not be true, or not be news."""
    issued_on = invoice.issued_on
    today = about.seen_at.astimezone(ZoneInfo(about.timezone)).date()
    oldest = today - timedelta(days=about.policy.invoice_issued.oldest_days)
    checks = (
        (not about.policy.invoice_issued.enabled, Reason.KIND_OFF),
        (invoice.type is not InvoiceType.SALE, Reason.NOT_A_SALE),
        (invoice.status in {InvoiceStatus.VOIDED, InvoiceStatus.DELETED}, Reason.NO_LONGER_VALID),
        (invoice.status is InvoiceStatus.PAID, Reason.ALREADY_PAID),
        (invoice.status is not InvoiceStatus.AUTHORISED, Reason.NOT_APPROVED),
        (invoice.amount_due is None or invoice.amount_due <= 0, Reason.ALREADY_PAID),
        (about.known_before_connecting, Reason.KNOWN_BEFORE_CONNECTING),
        (issued_on is not None and issued_on < oldest, Reason.TOO_OLD),
    )
    return next((reason for failed, reason in checks if failed), Reason.NONE)


def _when(number: str, about: Circumstances) -> Verdict:
    refusal = (about.refusals or {}).get(number)
    if refusal is not None:
        return Skip(Reason.OPTED_OUT if refusal == "opted_out" else Reason.NUMBER_INVALID)
    if about.sending is Sending.REVIEW:
        return Hold(Reason.IN_REVIEW, number)
    if about.sending is Sending.ALLOWLIST and number not in about.policy.sending.allowlist:
        return Hold(Reason.NOT_ON_ALLOWLIST, number)
    rules = about.policy.invoice_issued
    opening = next_open(about.now, zones_of_number(number, about.timezone), rules.opens, rules.closes)
    if opening > about.now:
        return Hold(Reason.OUTSIDE_WINDOW, number, opening)
    return Send(number)
