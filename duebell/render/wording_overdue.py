"""What a reminder says, to the customer and to a team; a template cannot compare, so it is given counts."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from duebell.deciding.deciding_overdue import stage_of
from duebell.deciding.known import Known
from duebell.policy.ladder import read_step
from duebell.policy.teams import team_of
from duebell.policy_file.overdue import StagePolicy
from duebell.render.values import Link, enumerated
from duebell.render.wording_causes import customer_of
from duebell.render.wording_shapes import (
    FIRM,
    FRIENDLY,
    NUMBERS_NAMED,
    Telling,
    Told,
    of_invoice,
    written_out,
)
from duebell.xero.links import invoice_link

FIRM_FROM = 14
"""From so many days after the due date on a reminder is worded firmly, where no rule says otherwise."""

LISTED = 20
"""How many invoices an email lists before it only counts them."""


def overdue(telling: Telling) -> dict[str, object]:
    """Of a reminder to a customer, the invoice that is due longest first. All are of one currency."""
    told = _oldest_first(telling.told)
    furthest = max((_days_of(one, telling) for one in told), default=0)
    invoices = [one.known.read.invoice for one in told]
    return {
        **_counted(told, telling),
        "invoice_numbers": enumerated(one.number for one in invoices[:NUMBERS_NAMED]),
        "unnamed_invoices": max(len(invoices) - NUMBERS_NAMED, 0),
        "owing": {
            "amount": sum((one.amount_due or Decimal(0) for one in invoices), Decimal(0)),
            "currency": invoices[0].currency,
        },
        "due_soon": int(all(one.due_on and one.due_on >= telling.today for one in invoices)),
        "last_due_on": invoices[-1].due_on,
        "tone": FIRM if furthest >= FIRM_FROM else FRIENDLY,
    }


def overdue_listed(telling: Telling) -> list[Known]:
    """The invoices that a reminder lists to a customer, in its order."""
    return [one.known for one in _oldest_first(telling.told)[:LISTED]]


def overdue_for_team(telling: Telling) -> dict[str, object]:
    """Of what a team is told. ``owing`` is written out: sums over several currencies are never one sum."""
    told = _oldest_first(telling.told)
    owing: dict[str, Decimal] = {}
    for one in told:
        invoice = one.known.read.invoice
        owing[invoice.currency] = owing.get(invoice.currency, Decimal(0)) + (invoice.amount_due or 0)
    listed = [_for_team(one, telling) for one in told[:LISTED]]
    return {
        **_counted(told, telling),
        "team": team_of(telling.subject.team),
        "invoice": listed[0],
        "invoices": listed,
        "owing": written_out(owing, telling.locale),
    }


def _counted(told: Sequence[Told], telling: Telling) -> dict[str, object]:
    listed = [_late(one, telling) for one in told[:LISTED]]
    return {
        "invoice": listed[0],
        "link": listed[0]["link"],
        "invoices": listed,
        "invoice_count": len(told),
        "other_invoices": len(told) - 1,
        "unlisted_invoices": max(len(told) - LISTED, 0),
    }


def _late(one: Told, telling: Telling) -> dict[str, object]:
    due_on = one.known.read.invoice.due_on
    days = max((telling.today - due_on).days, 0) if due_on else 0
    return {**of_invoice(one.known, telling), "days_late": days}


def _for_team(one: Told, telling: Telling) -> dict[str, object]:
    invoice = one.known.read.invoice
    return {
        **_late(one, telling),
        "customer": customer_of(one, telling.language),
        "stage": read_step(one.subject.step)[0],
        "link": Link(invoice_link(one.known.tenant.short_code, invoice.invoice_id)),
    }


def _days_of(one: Told, telling: Telling) -> int:
    stage: StagePolicy | None = stage_of(one.subject.step, telling.policy.invoice_overdue)
    return stage.days if stage else 0


def _oldest_first(told: Sequence[Told]) -> list[Told]:
    """Each invoice once, in the order in which they were due."""
    by_id = {one.known.read.invoice.invoice_id: one for one in told}
    return sorted(by_id.values(), key=_in_order)


def _in_order(one: Told) -> tuple[date, str]:
    invoice = one.known.read.invoice
    return invoice.due_on or date.max, invoice.number
