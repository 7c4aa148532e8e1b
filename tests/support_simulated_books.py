"""Xero's books in a simulated life: what is true of each invoice, from when on."""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime

from tests.support_facts import invoice_body, numbered

PROMISED_FOR = "2027-01-31T00:00:00"


@dataclass
class Truth:
    """An invoice as it stands in Xero: each of its states from a moment on, and what its customer asked."""

    number: int
    to: str
    states: list[tuple[datetime, str, str]]
    due_on: str = "2026-12-20"
    stopped: datetime | None = None
    promises: list[tuple[datetime, datetime | None]] = field(
        default_factory=list[tuple[datetime, datetime | None]]
    )
    """From when until when it stood in Xero that its customer is to pay later."""

    @property
    def is_promised(self) -> bool:
        """Whether its customer is to pay later, as Xero has it now."""
        return bool(self.promises) and self.promises[-1][1] is None

    def turns_promise(self, now: datetime) -> None:
        """That its customer pays later is entered in Xero, or taken out of it."""
        if self.is_promised:
            self.promises[-1] = (self.promises[-1][0], now)
        else:
            self.promises.append((now, None))
        self.states.append((now, *self.states[-1][1:]))

    def was_promised(self, since: datetime, until: datetime) -> bool:
        """Whether that stood there all of this time."""
        return any(begins <= since and (ends is None or ends > until) for begins, ends in self.promises)

    @property
    def email(self) -> str:
        """Where its customer is written to when an SMS cannot say it."""
        return f"rimu{self.to[1:]}@example.com"

    @property
    def ended(self) -> datetime | None:
        """Since when nobody is to be told of it: it was paid or voided, or its customer said stop."""
        at, status, _ = self.states[-1]
        ends = [one for one in (at if status != "AUTHORISED" else None, self.stopped) if one]
        return min(ends, default=None)

    def ended_for(self, *, email: bool) -> datetime | None:
        """The same for one way of telling: a STOP is about messages to the number."""
        return replace(self, stopped=None).ended if email else self.ended

    def amounts_between(self, since: datetime, until: datetime) -> set[str]:
        """The amounts that were true at some moment between the two."""
        later = [at for at, _, _ in self.states[1:]] + [datetime.max.replace(tzinfo=until.tzinfo)]
        spans = zip(self.states, later, strict=True)
        return {amount for (at, _, amount), end in spans if at <= until and end >= since}


def invoice_in_xero(truth: Truth) -> str:
    """The invoice as Xero would give it now."""
    at, status, amount = truth.states[-1]
    return invoice_body(
        numbered(truth.number),
        updated_at=at,
        Status=status,
        Contact={"ContactID": numbered(100_000 + int(truth.to[5:]))},
        Total=int(amount),
        AmountDue=int(amount),
        DueDateString=f"{truth.due_on}T00:00:00",
        **({"ExpectedPaymentDate": PROMISED_FOR} if truth.is_promised else {}),
        InvoiceNumber=number_of(truth),
    )


def number_of(truth: Truth) -> str:
    """The number that Xero gave the invoice."""
    return f"INV-{truth.number:06}"


def contact_in_xero(truth: Truth) -> str:
    """Its contact as Xero would give it."""
    return json.dumps(
        {
            "ContactID": numbered(100_000 + int(truth.to[5:])),
            "Name": "Rimu Test Limited",
            "ContactStatus": "ACTIVE",
            "EmailAddress": truth.email,
            "Phones": [{"PhoneType": "MOBILE", "PhoneNumber": truth.to}],
        }
    )
