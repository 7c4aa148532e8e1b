"""Xero's ``where``: comparisons of known fields with literals, joined by AND and OR.

What Xero's own parser would refuse is refused in its words, a literal of the wrong type above all: a date is
``DateTime(2031,5,6)`` and an id is ``Guid("…")``. What Xero knows and the sandbox does not (``Contains`` and
its like) is said to be not modelled.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from deployments.sandbox.wire import Json, Record, read_ms_date, record_of
from deployments.sandbox.xero_query import NotModelledError, QueryRefusedError

Predicate: TypeAlias = Callable[[Record], bool]
Value: TypeAlias = "str | Decimal | datetime | bool | UUID | None"
Fields: TypeAlias = Mapping[str, type]

_TOKEN = re.compile(
    r'\s*(?:"(?P<text>[^"]*)"|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][\w.]*)'
    r"|(?P<sign>==|!=|<>|>=|<=|&&|\|\||[=<>(),]))"
)
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "=": operator.eq, "!=": operator.ne, "<>": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_EQUALITY = frozenset({"==", "=", "!=", "<>"})
_NAMES = {str: "String", Decimal: "Decimal", datetime: "DateTime", bool: "Boolean", UUID: "Guid"}
_METHODS = ("contains", "startswith", "endswith", "tolower", "toupper")

_DOCUMENT: Fields = {
    "Type": str, "Status": str, "Reference": str, "CurrencyCode": str, "Date": datetime, "Total": Decimal,
    "UpdatedDateUTC": datetime, "Contact.ContactID": UUID, "Contact.Name": str,
}  # fmt: skip
INVOICE_FIELDS: Fields = _DOCUMENT | {
    "InvoiceID": UUID, "InvoiceNumber": str, "DueDate": datetime, "AmountDue": Decimal, "AmountPaid": Decimal,
    "AmountCredited": Decimal, "FullyPaidOnDate": datetime, "ExpectedPaymentDate": datetime,
    "SentToContact": bool, "BrandingThemeID": UUID, "RepeatingInvoiceID": UUID,
}  # fmt: skip
PAYMENT_FIELDS: Fields = {
    "PaymentID": UUID, "PaymentType": str, "Status": str, "Date": datetime, "Amount": Decimal,
    "Reference": str, "IsReconciled": bool, "UpdatedDateUTC": datetime, "Invoice.InvoiceID": UUID,
}  # fmt: skip
CREDIT_FIELDS: Fields = _DOCUMENT | {
    "RemainingCredit": Decimal, "CreditNoteNumber": str, "CreditNoteID": UUID, "OverpaymentID": UUID,
    "PrepaymentID": UUID,
}  # fmt: skip
CONTACT_FIELDS: Fields = {
    "ContactID": UUID, "ContactStatus": str, "Name": str, "EmailAddress": str, "ContactNumber": str,
    "AccountNumber": str, "UpdatedDateUTC": datetime,
}  # fmt: skip
GROUP_FIELDS: Fields = {"ContactGroupID": UUID, "Name": str, "Status": str}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def predicate(where: str, fields: Fields, kind: str) -> Predicate:
    """The rows that a ``where`` over these fields of a ``kind`` chooses.

    Raises ``QueryRefusedError`` for what Xero could not read, ``NotModelledError`` for what we do not know.
    """
    return _Parser(_tokens(where), fields, kind).whole()


def _tokens(where: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    rest = where.rstrip()
    while position < len(rest):
        match = _TOKEN.match(rest, position)
        if match is None or match.lastgroup is None:
            raise QueryRefusedError(f"Syntax error at index {position}")
        found.append(_Token(match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


class _Parser:
    """Reads the tokens from left to right; AND binds more tightly than OR."""

    def __init__(self, tokens: list[_Token], fields: Fields, kind: str) -> None:
        self._tokens = tokens
        self._at = 0
        self._kind = kind
        # Xero's names are read in any case: InvoiceID and InvoiceId are one.
        self._fields = {name.lower(): (name, sort) for name, sort in fields.items()}

    def whole(self) -> Predicate:
        found = self._either()
        if self._at < len(self._tokens):
            raise QueryRefusedError("Syntax error")
        return found

    def _either(self) -> Predicate:
        ways = [self._both()]
        while self._take("or", "||"):
            ways.append(self._both())
        return lambda row: any(way(row) for way in ways)

    def _both(self) -> Predicate:
        parts = [self._one()]
        while self._take("and", "&&"):
            parts.append(self._one())
        return lambda row: all(part(row) for part in parts)

    def _one(self) -> Predicate:
        if not self._take("("):
            return self._comparison()
        inner = self._either()
        self._need(")")
        return inner

    def _comparison(self) -> Predicate:
        path, sort = self._field(self._next("name").text)
        sign = self._next("sign").text
        compare = _SIGNS.get(sign)
        if compare is None:
            raise QueryRefusedError("Syntax error")
        wanted = self._literal()
        _check_types(sign, sort, wanted)
        if wanted is None or sign in _EQUALITY:
            return lambda row: compare(_value(row, path, sort), wanted)
        return lambda row: (found := _value(row, path, sort)) is not None and compare(found, wanted)

    def _field(self, name: str) -> tuple[tuple[str, ...], type]:
        last = name.lower().rpartition(".")[2]
        if last in _METHODS:
            raise NotModelledError(f"where with {name}")
        if name.lower() not in self._fields:
            raise QueryRefusedError(f"No property or field '{name}' exists in type '{self._kind}'")
        known, sort = self._fields[name.lower()]
        return tuple(known.split(".")), sort

    def _literal(self) -> Value:
        token = self._next("text", "number", "name")
        if token.kind == "text":
            return token.text
        if token.kind == "number":
            return Decimal(token.text)
        word = token.text.lower()
        if word in _CONSTANTS:
            return _CONSTANTS[word]
        made = {"datetime": self._datetime, "guid": self._guid}.get(word)
        if made is None:
            raise QueryRefusedError(f"No property or field '{token.text}' exists in type '{self._kind}'")
        self._need("(")
        value = made()
        self._need(")")
        return value

    def _datetime(self) -> datetime:
        numbers = [int(self._whole())]
        while self._take(","):
            numbers.append(int(self._whole()))
        if len(numbers) not in {3, 6}:
            raise QueryRefusedError("No applicable constructor exists in type 'DateTime'")
        year, month, day, *time = numbers
        try:
            return datetime(year, month, day, *time, tzinfo=UTC)
        except ValueError:
            raise QueryRefusedError("DateTime is out of range") from None

    def _whole(self) -> str:
        text = self._next("number").text
        if "." in text:
            raise QueryRefusedError("Syntax error")
        return text

    def _guid(self) -> UUID:
        try:
            return UUID(self._next("text").text)
        except ValueError:
            raise QueryRefusedError("Guid should contain 32 digits with 4 dashes") from None

    def _take(self, *words: str) -> bool:
        here = self._tokens[self._at] if self._at < len(self._tokens) else _Token("end", "")
        if here.kind not in {"name", "sign"} or here.text.lower() not in words:
            return False
        self._at += 1
        return True

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise QueryRefusedError(f"'{sign}' expected")

    def _next(self, *kinds: str) -> _Token:
        if self._at >= len(self._tokens) or self._tokens[self._at].kind not in kinds:
            raise QueryRefusedError("Expression expected")
        self._at += 1
        return self._tokens[self._at - 1]


_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def _check_types(sign: str, sort: type, wanted: Value) -> None:
    known = wanted is None or type(wanted) is sort
    ordered = wanted is not None and sort in {Decimal, datetime}
    if not known or not (ordered or sign in _EQUALITY):
        given = "Object" if wanted is None else _NAMES[type(wanted)]
        raise QueryRefusedError(
            f"Operator '{sign}' incompatible with operand types '{_NAMES[sort]}' and '{given}'"
        )


def _value(row: Record, path: tuple[str, ...], sort: type) -> Value:
    found: Json = row
    for name in path:
        found = record_of(found).get(name) if found is not row else row.get(name)
    if found is None:
        return False if sort is bool else None
    return _READ[sort](found)


_READ: dict[type, Callable[[Json], Value]] = {
    str: str,
    Decimal: lambda value: Decimal(str(value)),
    datetime: read_ms_date,
    bool: bool,
    UUID: lambda value: UUID(str(value)),
}
