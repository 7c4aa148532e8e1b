"""The values that a message's templates are given."""

from collections.abc import Callable
from decimal import Decimal

from duebell.deciding.known import Known
from duebell.errors import Permanent
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, NEEDS_ATTENTION, PAYMENT_RECEIVED
from duebell.render.values import Composed, enumerated, one_line
from duebell.render.wording_overdue import overdue, overdue_for_team, overdue_listed
from duebell.render.wording_shapes import (
    DIGEST,
    FIRM,
    FRIENDLY,
    NUMBERS_NAMED,
    Telling,
    Told,
    day_of,
    is_past_due,
    of_invoice,
    of_paid_invoice,
    still_due,
)
from duebell.render.wording_team import for_team

__all__ = ["Telling", "Told", "listed_in", "values_for"]


def values_for(telling: Telling) -> dict[str, object]:
    """What the templates of this kind may name. Money is of the invoices' own currency.

    ``locale`` is that of the message's language in the country where it is read.
    """
    first, kind = telling.first, telling.subject.kind
    contact = None if telling.subject.team else telling.contact
    words = TEAMS_VALUES if telling.subject.team else VALUES
    kind = DIGEST if telling.is_digest else kind
    if (contact is None and not telling.subject.team) or kind not in words:
        raise Permanent(f"there is nobody to tell of {kind}, or no such kind")
    values: dict[str, object] = {
        "locale": telling.locale,
        # no stranger's text: who is called by their own address is called so
        "organisation": Composed(one_line(first.tenant.name)),
        "contact_name": contact.name if contact else "",
        "contact_first_name": contact.first_name if contact else "",
        "contact_person": f"{contact.first_name} {contact.last_name}" if contact else "",
        "tone": FRIENDLY,
        **words[kind](telling),
    }
    tone = telling.route.tone or values["tone"]
    return values | {"tone": tone, "firm": int(tone == FIRM)}


def _issued(telling: Telling) -> dict[str, object]:
    invoice = of_invoice(telling.first, telling)
    return {"invoice": invoice, "link": invoice["link"], "past_due": int(is_past_due(telling))}


def _paid(telling: Telling) -> dict[str, object]:
    """``payment`` is the sum of what one message confirms; ``invoices`` are those that it was for.

    A template cannot compare, so what it has to tell apart is a count that may be 0.
    """
    payments = [one.known.payment(one.subject.subject_id) for one in telling.told]
    standing = [one for one in payments if one is not None]
    if not standing:
        raise Permanent("there is no payment left to confirm")
    in_order = _paid_for(telling)
    invoices = [one.read.invoice for one in in_order]
    day = day_of(standing, telling.today)
    listed = [of_paid_invoice(one, telling, day) for one in in_order]
    return {
        "invoice": listed[0],
        "link": listed[0]["link"],
        "invoices": listed,
        "invoice_numbers": enumerated(one.number for one in invoices[:NUMBERS_NAMED]),
        "invoice_count": len(invoices),
        "other_invoices": len(invoices) - 1,
        "unnamed_invoices": max(len(invoices) - NUMBERS_NAMED, 0),
        "payment": {
            "amount": sum((one.amount for one in standing), Decimal(0)),
            "currency": invoices[0].currency,
            "paid_on": standing[0].paid_on,
        },
        "still_owing": sum((still_due(one, day) for one in invoices), Decimal(0)),
    }


def _paid_for(telling: Telling) -> list[Known]:
    told = {one.known.read.invoice.invoice_id: one.known for one in telling.told}
    return sorted(told.values(), key=_by_number)


def _by_number(known: Known) -> tuple[int, str]:
    number = known.read.invoice.number
    return len(number), number


def listed_in(telling: Telling) -> list[Known]:
    """The invoices that a message to a customer lists, the one whose link it says as its own first."""
    in_order = LISTED.get(telling.subject.kind)
    return in_order(telling) if in_order else [telling.first]


LISTED: dict[str, Callable[[Telling], list[Known]]] = {
    PAYMENT_RECEIVED: _paid_for,
    INVOICE_OVERDUE: overdue_listed,
}

VALUES: dict[str, Callable[[Telling], dict[str, object]]] = {
    INVOICE_ISSUED: _issued,
    PAYMENT_RECEIVED: _paid,
    INVOICE_OVERDUE: overdue,
}
"""What each kind of message has to say beside who says it to whom."""

TEAMS_VALUES: dict[str, Callable[[Telling], dict[str, object]]] = {
    INVOICE_ISSUED: for_team,
    PAYMENT_RECEIVED: for_team,
    INVOICE_OVERDUE: overdue_for_team,
    NEEDS_ATTENTION: for_team,
    DIGEST: for_team,
}
"""The same for a team of the business itself."""
