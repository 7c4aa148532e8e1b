"""How a customer stands, each currency for itself: the credit that no invoice has used, and what is due."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from duebell.model import Invoice


@dataclass(frozen=True, slots=True)
class Owing:
    """What is still owed on one open invoice."""

    currency: str
    due_on: date | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Balance:
    """A customer's credit that is not allocated, by currency, and their open invoices in those currencies."""

    credit: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    owing: tuple[Owing, ...] = ()

    def credit_in(self, currency: str) -> Decimal:
        """What is not allocated in this currency."""
        return self.credit.get(currency, Decimal(0))

    def due_with(self, invoice: Invoice, today: date) -> Decimal:
        """What is owed by today in the invoice's currency; for one that is due later, by that day."""
        by = max(today, invoice.due_on or today)
        return sum(
            (
                one.amount
                for one in self.owing
                if one.currency == invoice.currency and (one.due_on is None or one.due_on <= by)
            ),
            Decimal(0),
        )


NO_CREDIT = Balance()
