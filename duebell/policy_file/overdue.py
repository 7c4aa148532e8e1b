"""The section of overdue invoices: the ladder of stages, and what holds a reminder back."""

from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictBool

from duebell.policy_file.sections import OFFICE_DAYS, MessagePolicy
from duebell.policy_file.shapes import (
    CUSTOMER,
    Amount,
    Channel,
    Clock,
    Currency,
    Days,
    Name,
    Section,
    SomeChannels,
    Tell,
    Text,
    Weekdays,
    teams_in,
)


class CreditHolds(StrEnum):
    """Which credit notes, prepayments and overpayments that are not allocated hold a customer's reminders.

    ``covers``: those that cover all that is due of the customer in the currency. ``any``: any that reach the
    currency's minimum. ``ignore``: none.
    """

    COVERS = "covers"
    ANY = "any"
    IGNORE = "ignore"


class Promise(StrEnum):
    """What Xero's expected payment date does to a reminder."""

    HOLD = "hold"
    IGNORE = "ignore"


class StagePolicy(Section):
    """A step of the ladder. Its name is what makes it the same step when its day or place changes.

    ``days`` counts from the due date, negative before it. ``late_days`` of its own replaces the ladder's.
    """

    name: Name
    days: Annotated[int, Field(strict=True, ge=-90, le=1000)]
    tell: Tell = (CUSTOMER,)
    late_days: Days | None = None

    @property
    def tells_customer(self) -> bool:
        """Whether the customer hears of this stage."""
        return CUSTOMER in self.tell

    @property
    def teams(self) -> tuple[str, ...]:
        """The names of the teams that hear of this stage."""
        return teams_in(self.tell)


LADDER = (
    StagePolicy(name="soon", days=-3),
    StagePolicy(name="overdue", days=1),
    StagePolicy(name="second", days=7),
    StagePolicy(name="third", days=14, tell=(CUSTOMER, "team:accounts")),
    StagePolicy(name="last", days=30, tell=(CUSTOMER, "team:accounts")),
)


def _minimum() -> dict[str, Decimal]:
    return {"NZD": Decimal(10), "AUD": Decimal(10), "GBP": Decimal(5), "USD": Decimal(10), "EUR": Decimal(10)}


class InvoiceOverduePolicy(MessagePolicy):
    """Reminding of what is due. ``stages`` rise by their days; the last one is the end of the ladder.

    ``late_days``: for how many days after its day a stage is still said. ``gap_days``: how many days of
    ``clock`` lie at least between two reminders to one customer. ``minimum``: by currency, the least that
    is chased.
    """

    online_link: SomeChannels = (Channel.EMAIL,)
    opens: Clock = time(9)
    closes: Clock = time(17)
    days: Weekdays = OFFICE_DAYS
    on_holidays: StrictBool = False
    late_days: Days = 6
    group: StrictBool = True
    gap_days: Annotated[int, Field(strict=True, ge=0, le=90)] = 3
    minimum: Mapping[Currency, Amount] = Field(default_factory=_minimum)
    promise: Promise = Promise.HOLD
    promise_grace_days: Annotated[int, Field(strict=True, ge=0, le=60)] = 1
    credit: CreditHolds = CreditHolds.COVERS
    never_groups: tuple[Text, ...] = ("No reminders",)
    stages: tuple[StagePolicy, ...] = Field(default=LADDER, alias="stage")
