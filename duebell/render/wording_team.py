"""What a team of the business is told beside the stages, and all of a day's news in one message."""

from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal

from duebell.deciding.attention import step_of
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, NEEDS_ATTENTION, PAYMENT_RECEIVED
from duebell.model import InvoicePayment
from duebell.policy.ladder import read_step
from duebell.policy.teams import team_of
from duebell.policy_file.sections import Attention
from duebell.render.values import Composed, Link
from duebell.render.wording_causes import cause_in_words, customer_of
from duebell.render.wording_shapes import Telling, Told, day_of, of_invoice, of_paid_invoice, written_out
from duebell.xero.links import invoice_link

LISTED = 20
"""How many pieces of news of one kind a message lists before it only counts them."""

LISTS = {
    INVOICE_ISSUED: "issued",
    PAYMENT_RECEIVED: "paid",
    INVOICE_OVERDUE: "overdue",
    NEEDS_ATTENTION: "attention",
}
"""By what name the templates know the news of each kind."""


def for_team(telling: Telling) -> dict[str, object]:
    """Every list of a team's message, those of which there is no news empty.

    Sums are written out, currency by currency: over several they are never one sum.
    """
    values: dict[str, object] = {"team": team_of(telling.subject.team), "news_count": len(telling.told)}
    for kind, name in LISTS.items():
        told = sorted((one for one in telling.told if one.subject.kind == kind), key=_in_order)
        listed = [_item(one, telling) for one in told[:LISTED]]
        values[name] = listed
        values[f"{name}_count"] = len(told)
        values[f"{name}_unlisted"] = len(told) - len(listed)
        values[f"{name}_sum"] = _summed(told, SUMS[kind], telling.locale)
    first = min(telling.told, key=_in_order)
    overdue = min(
        (one for one in telling.told if one.subject.kind == INVOICE_OVERDUE), key=_in_order, default=first
    )
    return values | {
        "first": _item(first, telling),
        "first_overdue": _item(overdue, telling),
        "others": len(telling.told) - 1,
    }


def _in_order(one: Told) -> tuple[date, str, str]:
    """What is due longest first."""
    invoice = one.known.read.invoice
    return invoice.due_on or date.max, invoice.number, one.subject.step


def _item(one: Told, telling: Telling) -> dict[str, object]:
    invoice = one.known.read.invoice
    late = max((telling.today - invoice.due_on).days, 0) if invoice.due_on else 0
    is_reminder = one.subject.kind == INVOICE_OVERDUE
    return {
        **_invoice(one, telling),
        "customer": customer_of(one, telling.language),
        "paid_amount": _paid(one),
        "days_late": late,
        "stage": read_step(one.subject.step)[0] if is_reminder else "",
        **_attention(one, telling.language),
        "link": Link(invoice_link(one.known.tenant.short_code, invoice.invoice_id)),
    }


def _attention(one: Told, language: str) -> dict[str, object]:
    """What needs attention: of these three exactly one is 1 where anything does."""
    what, detail = step_of(one.subject.step) if one.subject.kind == NEEDS_ATTENTION else (None, "")
    return {
        "promise_broken": int(what is Attention.PROMISE_BROKEN),
        "not_told": int(what is Attention.NOT_TOLD),
        "credit_waits": int(what is Attention.CREDIT_WAITS),
        "promised_on": one.known.read.invoice.expected_payment_on,
        "why": cause_in_words(detail, language) if what is Attention.NOT_TOLD else "",
    }


def _invoice(one: Told, telling: Telling) -> dict[str, object]:
    payment = _payment(one)
    if payment is None:
        return of_invoice(one.known, telling)
    return of_paid_invoice(one.known, telling, day_of([payment], telling.today))


def _paid(one: Told) -> Decimal:
    payment = _payment(one)
    return payment.amount if payment else Decimal(0)


def _payment(one: Told) -> InvoicePayment | None:
    is_of_payment = one.subject.kind == PAYMENT_RECEIVED
    return one.known.payment(one.subject.subject_id) if is_of_payment else None


def _due(one: Told) -> Decimal:
    return one.known.read.invoice.amount_due or Decimal(0)


def _total(one: Told) -> Decimal:
    return one.known.read.invoice.total or Decimal(0)


SUMS: dict[str, Callable[[Told], Decimal]] = {
    INVOICE_ISSUED: _total,
    PAYMENT_RECEIVED: _paid,
    INVOICE_OVERDUE: _due,
    NEEDS_ATTENTION: _due,
}


def _summed(told: Iterable[Told], amount: Callable[[Told], Decimal], locale: str) -> Composed:
    """The sum of each currency; an invoice of which two things are told counts once."""
    sums: dict[str, Decimal] = {}
    for one in {one.subject.subject_id: one for one in told}.values():
        currency = one.known.read.invoice.currency
        sums[currency] = sums.get(currency, Decimal(0)) + amount(one)
    return written_out(sums, locale)
