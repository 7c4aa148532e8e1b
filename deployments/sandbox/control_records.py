"""More of what the accountant sees and types: new invoices, money, credits, groups and persons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TypedDict


@dataclass(frozen=True, slots=True)
class NewInvoice:
    """What may be typed into a new invoice; by default it is approved, and due 20 days after today.

    ``submitted``: neither approved nor a draft. ``repeating``: born of a repeating template. ``rate``: how
    much of the currency a home dollar buys. ``theme``: a branding theme's name. ``tracking``: the name of a
    category and of its option, twice at most.
    """

    approved: bool = True
    submitted: bool = False
    repeating: bool = False
    sent: bool = False
    is_bill: bool = False
    reference: str = ""
    number: str = ""
    issued_on: date | None = None
    due_on: date | None = None
    currency: str = ""
    rate: Decimal | None = None
    theme: str = ""
    tracking: Sequence[tuple[str, str]] = ()

    @property
    def status(self) -> str:
        """Xero's word for the state that it is born in."""
        if self.submitted:
            return "SUBMITTED"
        return "AUTHORISED" if self.approved else "DRAFT"


class InvoiceWords(TypedDict, total=False):
    """The words of ``NewInvoice`` as arguments."""

    approved: bool
    submitted: bool
    repeating: bool
    sent: bool
    is_bill: bool
    reference: str
    number: str
    issued_on: date | None
    due_on: date | None
    currency: str
    rate: Decimal | None
    theme: str
    tracking: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class MoneySummary:
    """A payment as ``/Payments`` has it; ``document_id`` is an invoice's, or that of the credit refunded."""

    payment_id: str
    type: str
    status: str
    document_id: str
    batch_id: str
    amount: Decimal
    paid_on: date
    reference: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class CreditSummary:
    """A credit note, prepayment or overpayment; ``category`` is the word of its events."""

    credit_id: str
    category: str
    number: str
    type: str
    status: str
    contact_id: str
    currency: str
    total: Decimal
    remaining: Decimal
    reference: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """A contact group and its members' ids."""

    group_id: str
    name: str
    status: str
    contact_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """A contact person; ``in_emails`` is Xero's IncludeInEmails."""

    first_name: str
    last_name: str
    email: str
    in_emails: bool = True
