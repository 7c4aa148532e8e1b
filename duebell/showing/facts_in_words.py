"""Verdicts, and the facts that they rest on, as a bookkeeper reads them; addresses are redacted."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from zoneinfo import ZoneInfo

from duebell.deciding.deciding import Basis
from duebell.deciding.grounds import Facts
from duebell.deciding.known import Known
from duebell.deciding.subjects import Subject, refusals_for
from duebell.model import Contact, Invoice, InvoiceStatus, InvoiceType
from duebell.money import in_decimals, with_code
from duebell.phone import redact
from duebell.policy.rules import Route
from duebell.policy.verdict import Hold, Send, Skip, Verdict
from duebell.showing.reporting import in_words
from duebell.states import lower

STATUSES: dict[InvoiceStatus, str] = {
    InvoiceStatus.AUTHORISED: "approved",
    InvoiceStatus.SUBMITTED: "submitted for approval",
    InvoiceStatus.DRAFT: "a draft",
    InvoiceStatus.PAID: "paid",
    InvoiceStatus.VOIDED: "voided",
    InvoiceStatus.DELETED: "deleted",
    InvoiceStatus.UNKNOWN: "in a state that Duebell does not know",
}

When = Callable[[datetime], str]


def clock_of(zone: str) -> When:
    """How a moment is written, on this zone's clock."""
    return lambda at: f"{at.astimezone(ZoneInfo(zone)):%d %b %Y %H:%M}"


def day_in_words(day: date) -> str:
    """A calendar day."""
    return f"{day:%d %b %Y}"


def whom(subject: Subject) -> str:
    """For whom a message is."""
    return subject.team or ("contact person" if subject.person else "customer")


def rule_in_words(route: Route) -> str:
    """Which rule of the policy matched, and by which of its conditions."""
    if not route.place:
        return "no rule matches"
    name = f" ({route.name})" if route.name else ""
    silence = ", and leaves it unsaid" if route.silence else ""
    return f"rule {route.place}{name}, by {', '.join(route.why) or 'no condition'}{silence}"


def reason_of(verdict: Verdict) -> str:
    """The reason as it is kept; empty where it goes out."""
    match verdict:
        case Send():
            return ""
        case Hold(reason=reason):
            return reason.value
        case Skip(reason=reason, detail=detail):
            return f"{reason.value}:{detail}" if detail else reason.value


def verdict_in_words(verdict: Verdict, when: When, now: datetime) -> str:
    """The verdict of a moment as a sentence without its full stop."""
    match verdict:
        case Send(address=address, channel=channel):
            return f"goes out by {channel} to {redact(address)}"
        case Hold(not_before=later, address=address, channel=channel):
            until = f"until {when(later)}" if later else "for a person"
            why = f"{in_words(reason_of(verdict))}{_clocks_in_words(verdict.closed_by, now)}"
            return f"waits {until} ({channel} to {redact(address)}): {why}"
        case Skip():
            return f"is not said: {in_words(reason_of(verdict))}"


def _clocks_in_words(zones: tuple[str, ...], now: datetime) -> str:
    """By whose clocks the hours were closed, with what these read."""
    read = [f"{zone} ({now.astimezone(ZoneInfo(zone)):%a %H:%M})" for zone in zones]
    return f", by the clock of {', '.join(read)}" if read else ""


def invoice_in_words(invoice: Invoice) -> str:
    """How an invoice stands."""
    return ", ".join(_of_invoice(invoice))


def _of_invoice(invoice: Invoice) -> Iterator[str]:
    if invoice.type is not InvoiceType.SALE:
        yield "a bill" if invoice.type is InvoiceType.BILL else "no sales invoice"
    yield STATUSES[invoice.status]
    amount, code = invoice.amount_due, invoice.currency
    owed = "an unknown amount" if amount is None else in_decimals(amount, code)
    whole = "" if invoice.total is None else f" of {in_decimals(invoice.total, code)}"
    yield f"{owed}{whole} {code} owed".replace("  ", " ")
    yield f"due {day_in_words(invoice.due_on)}" if invoice.due_on else "no due date"
    if invoice.expected_payment_on:
        yield f"expected to be paid {day_in_words(invoice.expected_payment_on)}"
    if invoice.payments:
        count = len(invoice.payments)
        yield f"{count} payment{'' if count == 1 else 's'}"


def facts_in_words(basis: Basis, facts: Facts, when: When) -> Iterator[str]:
    """Everything that a verdict rested on, a line each."""
    known = basis.known
    read = f"version {known.read.version}, as read {when(known.read.read_at)}"
    yield f"invoice ({read}): {invoice_in_words(known.read.invoice)}"
    if known.read.known_before_connecting:
        yield "the invoice stood in Xero before Duebell was connected"
    if not basis.subject.team:
        yield f"customer: {_contact_in_words(known.contact)}"
    sending = lower(facts.ceiling, type(facts.ceiling)(facts.sending))
    channels = ", ".join(sorted(facts.channels - facts.failed)) or "no channel"
    yield f"the organisation: {sending.value}, on the clock of {facts.timezone}, by {channels}"
    yield from _of_others(known, when)
    if refusals_for(basis.subject, known, basis.policy) != known.refusals:
        yield "who opted out at their number is told by email no more either, as stop_ends says in the policy"
    yield from _of_crowd(facts, when)


def _contact_in_words(contact: Contact | None) -> str:
    if contact is None:
        return "not known"
    groups = f", in {', '.join(contact.groups)}" if contact.groups else ""
    return f"{contact.name or 'without a name'}, {contact.status.value.replace('_', ' ')}{groups}"


def _of_others(known: Known, when: When) -> Iterator[str]:
    for address, why in known.refusals.items():
        yield f"{redact(address)} must not be written to: {why.replace('_', ' ')}"
    if known.told:
        yield "others at the customer were told of it by email, or may have been"
    if known.reminders:
        yield f"reminded before: {', '.join(when(one.at) for one in known.reminders)}"
    for announced in known.announced:
        yield f"told of the invoice itself: {when(announced.at) if announced.at else 'about to be'}"
    for currency, amount in known.balance.credit.items():
        yield f"{with_code(amount, currency)} of credit is not allocated"


def _of_crowd(facts: Facts, when: When) -> Iterator[str]:
    crowd = facts.crowd
    if crowd.unusual:
        yield "far more reminders than usual were to go out"
    if crowd.lifted_at:
        yield f"a person last let such reminders go {when(crowd.lifted_at)}"
    if crowd.next_hour:
        yield "the hour had no room for more messages"
    if facts.forced:
        yield "a person asked for it"
