"""What one message is about, and how its templates know an invoice."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from duebell.deciding.known import Known
from duebell.deciding.routing import country_of
from duebell.deciding.subjects import Subject
from duebell.languages import ENGLISH, locale_for
from duebell.model import Contact, Invoice, InvoicePayment
from duebell.money import format_amount
from duebell.policy.persons import addressee
from duebell.policy.rules import Route
from duebell.policy_file.policy import Policy
from duebell.render.values import Composed, Link, OwnNumber

NUMBERS_NAMED = 4
"""How many invoices a message names before it only counts them."""

DIGEST = "digest"
"""The kind of the words in which a team is told of several kinds of news."""

FRIENDLY, FIRM = "friendly", "firm"


@dataclass(frozen=True, slots=True)
class Told:
    """One piece of news, with what is known of its invoice."""

    subject: Subject
    known: Known


@dataclass(frozen=True, slots=True)
class Telling:
    """What one message is about, the news that leads first, on this day of the organisation's calendar.

    ``language`` is the one that is wanted, and of what is being said, the one that it is said in;
    ``with_links`` is whether it says where invoices can be seen online.
    """

    told: tuple[Told, ...]
    policy: Policy
    route: Route
    today: date
    language: str = ENGLISH
    with_links: bool = False

    @property
    def subject(self) -> Subject:
        """The news that leads."""
        return self.told[0].subject

    @property
    def is_digest(self) -> bool:
        """Whether it tells a team of several kinds of news."""
        return bool(self.subject.team) and len({one.subject.kind for one in self.told}) > 1

    @property
    def country(self) -> str:
        """Where the message is read: the organisation's country for a team."""
        known = self.first
        return known.tenant.country if self.subject.team else country_of(known.contact, known.tenant.country)

    @property
    def locale(self) -> str:
        """How amounts and days are written."""
        return locale_for(self.language, self.country)

    @property
    def first(self) -> Known:
        """What is known of its invoice."""
        return self.told[0].known

    @property
    def contact(self) -> Contact | None:
        """Who reads it: the customer, or a further person there with their own name."""
        return addressee(self.first.contact, self.subject.person)


def of_invoice(known: Known, telling: Telling) -> dict[str, object]:
    """An invoice as every template knows it."""
    invoice = known.read.invoice
    return {
        "number": OwnNumber(invoice.number),
        "reference": invoice.reference,
        "currency": invoice.currency,
        "total": invoice.total,
        "amount_due": invoice.amount_due,
        "issued_on": invoice.issued_on,
        "due_on": invoice.due_on,
        "link": Link(known.read.online_link if telling.with_links else ""),
    }


def of_paid_invoice(known: Known, telling: Telling, day: date) -> dict[str, object]:
    """The same where a payment of that day is told of: what is dated later is still to come."""
    return of_invoice(known, telling) | {"amount_due": still_due(known.read.invoice, day)}


def still_due(invoice: Invoice, day: date) -> Decimal:
    """What is due of an invoice on a day, in its currency: Xero takes off at once what is dated ahead."""
    ahead = (one.amount for one in invoice.payments if one.paid_on is not None and one.paid_on > day)
    return sum(ahead, invoice.amount_due or Decimal(0))


def day_of(payments: Iterable[InvoicePayment], today: date) -> date:
    """The day on which these payments are told of: not before their own."""
    return max([today, *(one.paid_on for one in payments if one.paid_on is not None)])


def is_past_due(telling: Telling) -> bool:
    """Whether the day on which the leading invoice was due has passed on the day of this message."""
    due_on = telling.first.read.invoice.due_on
    return due_on is not None and due_on < telling.today


def written_out(sums: Mapping[str, Decimal], locale: str) -> Composed:
    """Sums by their currency, for a template that is given no amounts but a text."""
    return Composed(", ".join(format_amount(one, currency, locale) for currency, one in sums.items()))
