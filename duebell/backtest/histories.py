"""Invoices as they stood at any time: by their versions, and before those by the dates that Xero gives."""

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from duebell.changes import ISSUED, InvoiceReopened, changes_of_invoice
from duebell.deciding.known import Known, known_of
from duebell.keys import INVOICE_ISSUED, PAYMENT_RECEIVED
from duebell.ledger.payments import KnownPayment
from duebell.ledger.tables import EarlierVersion, InvoiceSnapshot, PaymentSnapshot, Tenant
from duebell.ledger.versions import INVOICE
from duebell.model import Invoice, InvoicePayment, InvoiceStatus
from duebell.xero.parse import parse_invoice_body

ENTERED = time(10)
"""When in a day something is taken to have been entered of which only the day is known."""

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Shown:
    """A version of an invoice and when it was first read; empty for before versions were counted."""

    since: datetime | None
    invoice: Invoice


@dataclass(frozen=True, slots=True)
class History:
    """All that is known of one invoice over time.

    ``entered`` says of each payment since when Xero showed it; ``known`` is what stands now. ``subjects`` are
    the ids under which those payments are told that were entered anew, by their own.
    """

    known: Known
    shown: tuple[Shown, ...]
    entered: tuple[tuple[datetime, InvoicePayment], ...]
    issued_at: datetime | None
    subjects: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def afterwards(self) -> Invoice:
        """The invoice as Xero shows it in the end."""
        return self.known.read.invoice

    def at(self, moment: datetime) -> Known | None:
        """What was known at a moment; nothing before it was issued, and of one that was never issued."""
        if self.issued_at is None or moment < self.issued_at:
            return None
        place = bisect_right([one.since for one in self.shown[1:] if one.since], moment)
        version = self.shown[place]
        invoice = version.invoice
        if version.since is None or version.since > moment:
            invoice = self._before(invoice, moment)
        payments = tuple(
            KnownPayment(self._subject_of(one), one.payment_id, known_before_connecting=False)
            for one in invoice.payments
        )
        read = replace(self.known.read, invoice=invoice, read_at=moment, known_before_connecting=False)
        return replace(self.known, read=read, payments=payments)

    def _before(self, invoice: Invoice, moment: datetime) -> Invoice:
        """The invoice before the first version that is kept: with the payments that were entered by then.

        Credits carry no day. They are taken as set off from the first, but where they settled the invoice.
        """
        paid = tuple(one for at, one in self.entered if at <= moment)
        paid_sum = sum((one.amount for one in paid), Decimal(0))
        total = invoice.total if invoice.total is not None else (invoice.amount_due or 0) + paid_sum
        settled_on, today = invoice.fully_paid_on, moment.date()
        credited = (invoice.amount_credited or Decimal(0)) if not settled_on or settled_on <= today else 0
        due = max(Decimal(0), total - credited - paid_sum)
        status = InvoiceStatus.AUTHORISED if due > 0 else InvoiceStatus.PAID
        return replace(
            invoice,
            status=status,
            payments=paid,
            amount_paid=paid_sum,
            amount_due=due,
            expected_payment_on=None,
        )

    def was_paid_before(self, day: date) -> bool:
        """Whether the customer had paid all before a day, as Xero shows it afterwards."""
        last = self.afterwards
        if last.fully_paid_on is not None:
            return last.fully_paid_on < day
        paid = sum((one.amount for one in last.payments if one.paid_on and one.paid_on < day), Decimal(0))
        return last.status is InvoiceStatus.PAID and paid >= (last.total or paid)

    def news(self) -> Iterator[tuple[datetime, str, str]]:
        """When what was to be told first, or after all: the issue, each payment (moment, kind, subject)."""
        invoice_id = self.afterwards.invoice_id
        if self.issued_at is not None:
            yield self.issued_at, INVOICE_ISSUED, invoice_id
        for before, after in pairwise(self.shown):
            reopened = InvoiceReopened(invoice_id) in changes_of_invoice(before.invoice, after.invoice)
            if reopened and after.since is not None:
                yield after.since, INVOICE_ISSUED, invoice_id
        for moment, payment in self.entered:
            yield moment, PAYMENT_RECEIVED, self._subject_of(payment)

    def _subject_of(self, payment: InvoicePayment) -> str:
        return self.subjects.get(payment.payment_id, payment.payment_id)


def histories(session: Session, tenant: Tenant) -> list[History]:
    """The history of every sales invoice of a tenant that was ever issued and not withdrawn."""
    wanted = select(InvoiceSnapshot.invoice_id).where(
        InvoiceSnapshot.tenant_id == tenant.tenant_id, InvoiceSnapshot.type == "sale"
    )
    ids = list(session.exec(wanted.order_by(col(InvoiceSnapshot.invoice_id))).all())
    # As though it had always been connected and live: what the policy says is asked, not what was allowed.
    live = tenant.model_copy(update={"sending": "live"})
    found: list[History] = []
    for start in range(0, len(ids), CHUNK):
        found += _chunk(session, live, ids[start : start + CHUNK])
    return found


def _chunk(session: Session, tenant: Tenant, ids: Sequence[str]) -> Iterator[History]:
    earlier = _earlier(session, tenant.tenant_id, ids)
    seen = _first_seen(session, tenant.tenant_id, ids)
    subjects = _subjects(session, tenant.tenant_id, ids)
    since = _since(session, tenant.tenant_id, ids)
    for invoice_id, known in known_of(session, tenant.tenant_id, ids).items():
        shown = (*earlier.get(invoice_id, ()), Shown(since.get(invoice_id), known.read.invoice))
        yield _history(replace(known, tenant=tenant), shown, seen, subjects)


def _history(
    known: Known, shown: tuple[Shown, ...], seen: dict[str, datetime], subjects: dict[str, str]
) -> History:
    zone = ZoneInfo(known.tenant.timezone)
    payments = {one.payment_id: one for version in shown for one in version.invoice.payments}
    entered = [
        (seen.get(one.payment_id) or at_day(one.paid_on, zone), one)
        for one in payments.values()
        if one.paid_on is not None
    ]
    in_order = tuple(sorted(entered, key=lambda pair: pair[0]))
    return History(known, shown, in_order, _issued_at(shown, zone), subjects)


def _issued_at(shown: Sequence[Shown], zone: ZoneInfo) -> datetime | None:
    """When it was approved: as versions show it, else on the invoice's own day. A withdrawn one never was."""
    first = next((one for one in shown if one.invoice.status in ISSUED), None)
    if first is None or first.invoice.issued_on is None:
        return None
    on_its_day = at_day(first.invoice.issued_on, zone)
    return max(on_its_day, first.since) if first is not shown[0] and first.since else on_its_day


def at_day(day: date, zone: ZoneInfo) -> datetime:
    """The moment at which something of this day is taken to have been entered."""
    return datetime.combine(day, ENTERED, zone).astimezone(UTC)


def _earlier(session: Session, tenant_id: str, ids: Sequence[str]) -> dict[str, tuple[Shown, ...]]:
    wanted = select(EarlierVersion).where(
        EarlierVersion.tenant_id == tenant_id,
        EarlierVersion.category == INVOICE,
        col(EarlierVersion.record_id).in_(ids),
    )
    found: dict[str, tuple[Shown, ...]] = {}
    for row in session.exec(wanted.order_by(col(EarlierVersion.version))).all():
        one = Shown(row.first_read_at, parse_invoice_body(row.body))
        found[row.record_id] = (*found.get(row.record_id, ()), one)
    return found


def _since(session: Session, tenant_id: str, ids: Sequence[str]) -> dict[str, datetime | None]:
    wanted = select(InvoiceSnapshot.invoice_id, InvoiceSnapshot.first_read_at).where(
        InvoiceSnapshot.tenant_id == tenant_id, col(InvoiceSnapshot.invoice_id).in_(ids)
    )
    return dict(session.exec(wanted).all())


def _first_seen(session: Session, tenant_id: str, ids: Sequence[str]) -> dict[str, datetime]:
    """When payments were first seen, of those that came after connecting."""
    wanted = select(PaymentSnapshot.payment_id, PaymentSnapshot.first_seen_at).where(
        PaymentSnapshot.tenant_id == tenant_id,
        col(PaymentSnapshot.invoice_id).in_(ids),
        col(PaymentSnapshot.known_before_connecting).is_(False),
    )
    return dict(session.exec(wanted).all())


def _subjects(session: Session, tenant_id: str, ids: Sequence[str]) -> dict[str, str]:
    """The ids under which payments are told, of those that replaced another one of theirs."""
    wanted = select(PaymentSnapshot.payment_id, PaymentSnapshot.subject_id).where(
        PaymentSnapshot.tenant_id == tenant_id,
        col(PaymentSnapshot.invoice_id).in_(ids),
        col(PaymentSnapshot.subject_id) != col(PaymentSnapshot.payment_id),
    )
    return dict(session.exec(wanted).all())


def months_before(now: datetime, months: int, zone: str) -> datetime:
    """The beginning of the day so many months before; a day that a month does not have is its last."""
    today = now.astimezone(ZoneInfo(zone)).date()
    year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    day = min(today.day, monthrange(year, month + 1)[1])
    return datetime.combine(date(year, month + 1, day), time(), ZoneInfo(zone)).astimezone(UTC)
