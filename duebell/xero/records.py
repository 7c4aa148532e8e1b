"""What one reading of Xero gave: records that could be read, that could not, that never came."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar, cast

from duebell.errors import BadAnswer
from duebell.model import Contact, Credit, CreditKind, Invoice, Payment
from duebell.xero.fields import Fields
from duebell.xero.parse import parse_contact, parse_invoice
from duebell.xero.parse_credits import CREDIT_LISTS, parser_of
from duebell.xero.parse_payments import parse_payment
from duebell.xero.reader import BadField, compact_json, uuid_of

T = TypeVar("T", Invoice, Contact, Payment, Credit)


@dataclass(frozen=True, slots=True)
class Record(Generic[T]):
    """A record, and its own JSON for the ledger: compact, keys sorted, every digit kept."""

    value: T
    body: str

    def __repr__(self) -> str:
        return f"Record({record_id(self.value)})"  # the rest is personal data


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not be read; ``record_id`` is ``""`` where not even that could be."""

    record_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Records(Generic[T]):
    """One reading. One bad record never spoils the others.

    ``missing`` are ids that were asked for and are neither good nor bad; ``read_at`` is Xero's own clock at
    the (earliest) answer, in UTC; ``page_count`` and ``item_count`` are Xero's, for pages only.
    """

    good: tuple[Record[T], ...] = ()
    bad: tuple[BadRecord, ...] = ()
    missing: tuple[str, ...] = ()
    read_at: datetime | None = None
    page_count: int | None = None
    item_count: int | None = None

    def asked_for(self, ids: Sequence[str]) -> "Records[T]":
        """Only what was asked for, with the ids that did not come named as missing.

        A record that nobody asked for is dropped: a filter that a server ignores answers with everything.
        """
        good = tuple(record for record in self.good if record_id(record.value) in ids)
        seen = {record_id(record.value) for record in good} | {bad.record_id for bad in self.bad}
        return replace(self, good=good, missing=tuple(asked for asked in ids if asked not in seen))

    def only(self, ids: Collection[str]) -> "Records[T]":
        """What a list holds of these, and nothing else."""
        good = tuple(record for record in self.good if record_id(record.value) in ids)
        return replace(self, good=good, bad=tuple(bad for bad in self.bad if bad.record_id in ids))


def record_id(value: Invoice | Contact | Payment | Credit) -> str:
    """Xero's id of the record."""
    match value:
        case Invoice():
            return value.invoice_id
        case Contact():
            return value.contact_id
        case Payment():
            return value.payment_id
        case Credit():
            return value.credit_id


def invoices_of(envelope: object) -> Records[Invoice]:
    """The invoices of an answer. Raises ``BadAnswer`` where it has no list of them."""
    return _records(envelope, "Invoices", "InvoiceID", parse_invoice)


def contacts_of(envelope: object) -> Records[Contact]:
    """The contacts of an answer. Raises ``BadAnswer`` where it has no list of them."""
    return _records(envelope, "Contacts", "ContactID", parse_contact)


def payments_of(envelope: object) -> Records[Payment]:
    """The payments of an answer. Raises ``BadAnswer`` where it has no list of them."""
    return _records(envelope, "Payments", "PaymentID", parse_payment)


def credits_of(envelope: object, kind: CreditKind) -> Records[Credit]:
    """The credits of a kind in an answer. Raises ``BadAnswer`` where it has no list of them."""
    names = CREDIT_LISTS[kind]
    return _records(envelope, names.plural, names.id_name, parser_of(kind))


def _records(envelope: object, plural: str, id_key: str, parse: Callable[[object], T]) -> Records[T]:
    fields = Fields.of("the answer", envelope)
    good: dict[str, Record[T]] = {}
    bad: list[BadRecord] = []
    for item in listed(fields, plural):
        try:
            record = Record(parse(item), compact_json(item))
        except BadField as problem:
            bad.append(BadRecord(_id_of(item, id_key), str(problem)))
        else:
            good.setdefault(record_id(record.value), record)
    pagination = fields.child("pagination")
    return Records(
        good=tuple(good.values()),
        bad=tuple(bad),
        read_at=fields.moment("DateTimeUTC"),
        page_count=pagination.whole("pageCount") if pagination else None,
        item_count=pagination.whole("itemCount") if pagination else None,
    )


def listed(envelope: Fields, plural: str) -> list[object]:
    """The list that every answer of Xero's accounting interface holds. Raises ``BadAnswer`` without one."""
    items = envelope.raw.get(plural)
    if not isinstance(items, list):
        raise BadAnswer(f"the answer has no list of {plural}")
    return cast("list[object]", items)


def _id_of(item: object, id_key: str) -> str:
    raw = cast("dict[str, object]", item) if isinstance(item, dict) else {}
    return uuid_of(raw.get(id_key)) or ""


def joined(readings: Iterable[Records[T]]) -> Records[T]:
    """Several chunks as one reading, as old as its oldest chunk."""
    parts = tuple(readings)
    times = [part.read_at for part in parts if part.read_at is not None]
    return Records(
        good=tuple(record for part in parts for record in part.good),
        bad=tuple(bad for part in parts for bad in part.bad),
        missing=tuple(asked for part in parts for asked in part.missing),
        read_at=min(times, default=None),
    )
