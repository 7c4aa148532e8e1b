"""Xero's credit notes, prepayments and overpayments as ``duebell.model.Credit``, and the lists of them."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from duebell.model import Credit, CreditKind
from duebell.xero.fields import Fields


@dataclass(frozen=True, slots=True)
class CreditList:
    """Xero's name of a list, of the id of what it holds, and of the types that are a customer's."""

    plural: str
    id_name: str
    customers_types: tuple[str, ...]

    @property
    def only_type(self) -> str:
        """The one type that is a customer's, empty where there are several."""
        return self.customers_types[0] if len(self.customers_types) == 1 else ""


PREPAID = ("RECEIVE-PREPAYMENT", "ARPREPAYMENT")
OVERPAID = ("RECEIVE-OVERPAYMENT", "AROVERPAYMENT")
"""Xero's interface description has two words for each, and does not say what makes the one or the other.

Those of the other list count there alone: ``/Prepayments`` has returned overpayments too, with their types
(XeroAPI/Xero-NetStandard#477).
"""

CREDIT_LISTS = {
    CreditKind.CREDIT_NOTE: CreditList("CreditNotes", "CreditNoteID", ("ACCRECCREDIT",)),
    CreditKind.PREPAYMENT: CreditList("Prepayments", "PrepaymentID", PREPAID),
    CreditKind.OVERPAYMENT: CreditList("Overpayments", "OverpaymentID", OVERPAID),
}

OPEN = "AUTHORISED"
"""The one status whose rest may still be allocated: what is used up is PAID, what was withdrawn VOIDED."""


def parser_of(kind: CreditKind) -> Callable[[object], Credit]:
    """What reads one element of the kind's list."""
    return partial(parse_credit, kind)


def parse_credit(kind: CreditKind, value: object) -> Credit:
    """One element of a list of the kind. Raises ``BadField``.

    Without a status that is open nothing remains, whatever the amount says.
    """
    names = CREDIT_LISTS[kind]
    fields = Fields.of(names.plural.removesuffix("s"), value)
    contact = fields.child("Contact")
    remaining = fields.money("RemainingCredit") if fields.text("Status") == OPEN else None
    return Credit(
        credit_id=fields.own_uuid(names.id_name),
        kind=kind,
        is_customers=fields.text("Type") in names.customers_types,
        contact_id=contact.uuid("ContactID") if contact else None,
        currency=fields.text("CurrencyCode"),
        remaining=remaining or Decimal(0),
        updated_at=fields.moment("UpdatedDateUTC", "UpdatedDateUTCString"),
    )
