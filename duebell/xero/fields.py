"""One JSON object and how its fields are read: absent and ``null`` are the same, a wrong type is an error.

Xero omits nulls, and the same record carries other fields in a list than alone, so nothing is required
unless the reader says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import cast

from duebell.xero.dates import calendar_date, instant
from duebell.xero.reader import BadField, uuid_of

LARGEST_AMOUNT = Decimal(10) ** 13  # more than any invoice, and it fits NUMERIC(19,4) of a database
FINEST_AMOUNT = -6  # the exponent; Xero writes amounts with two decimals, prices with four at most


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one object; ``name`` is where it stands, for errors (``Invoice.Contact``)."""

    name: str
    raw: Mapping[str, object]

    @classmethod
    def of(cls, name: str, value: object) -> "Fields":
        """Raises ``BadField`` where ``value`` is no JSON object."""
        if not isinstance(value, dict):
            raise BadField(name, "an object")
        return cls(name, cast("dict[str, object]", value))

    def has(self, key: str) -> bool:
        """Whether Xero sent the field with a value."""
        return self.raw.get(key) is not None

    def text(self, key: str) -> str:
        """A text as it stands, ``""`` where absent. Refused: what no database and no message can hold."""
        value = self.raw.get(key)
        if value is None:
            return ""
        if not isinstance(value, str) or "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise self._bad(key, "a text")
        return value

    def uuid(self, key: str) -> str | None:
        """A lower-case UUID, ``None`` where absent or empty."""
        value = self.raw.get(key)
        if value is None or value == "":
            return None
        found = uuid_of(value)
        if found is None:
            raise self._bad(key, "a UUID")
        return found

    def own_uuid(self, key: str) -> str:
        """The record's own id, without which it is no record."""
        found = self.uuid(key)
        if found is None:
            raise self._bad(key, "present")
        return found

    def money(self, key: str) -> Decimal | None:
        """An amount, exact; ``None`` where absent."""
        value = self.raw.get(key)
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite() or value.copy_abs() >= LARGEST_AMOUNT:
            raise self._bad(key, "an amount")
        if int(value.as_tuple().exponent) < FINEST_AMOUNT:
            raise self._bad(key, "an amount")
        return value

    def whole(self, key: str) -> int | None:
        """A count of zero or more; ``None`` where absent."""
        value = self.money(key)
        if value is None:
            return None
        if value < 0 or value != value.to_integral_value():
            raise self._bad(key, "a count")
        return int(value)

    def flag(self, key: str) -> bool | None:
        """True or false; ``None`` where absent, for Xero's lists leave some out when false."""
        value = self.raw.get(key)
        if value is None or isinstance(value, bool):
            return value
        raise self._bad(key, "true or false")

    def day(self, *keys: str) -> date | None:
        """The calendar date in the first of these fields that is present."""
        key = self._first(keys)
        return calendar_date(f"{self.name}.{key}", self.raw[key]) if key else None

    def moment(self, *keys: str) -> datetime | None:
        """The instant, in UTC, in the first of these fields that is present."""
        key = self._first(keys)
        return instant(f"{self.name}.{key}", self.raw[key]) if key else None

    def child(self, key: str) -> "Fields | None":
        """The object within; ``None`` where absent."""
        return Fields.of(f"{self.name}.{key}", self.raw[key]) if self.has(key) else None

    def children(self, key: str) -> "tuple[Fields, ...]":
        """The objects of a list within; empty where absent."""
        value = self.raw.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self._bad(key, "a list")
        return tuple(Fields.of(f"{self.name}.{key}", item) for item in cast("list[object]", value))

    def _first(self, keys: tuple[str, ...]) -> str | None:
        return next((key for key in keys if self.raw.get(key) not in (None, "")), None)

    def _bad(self, key: str, expected: str) -> BadField:
        return BadField(f"{self.name}.{key}", expected)
