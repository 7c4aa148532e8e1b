"""How Xero writes: indented JSON with CRLF, escaped millisecond dates, and money with its digits."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

Json: TypeAlias = "bool | int | Decimal | str | Sequence[Json] | Mapping[str, Json] | None"
Record: TypeAlias = dict[str, Json]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS_DATE = re.compile(r"^/Date\((-?\d+)(?:[+-]\d{4})?\)/$")


def read_json(raw: bytes | str) -> Json:
    """Parse JSON and keep every digit of its numbers. Raises ``ValueError`` where it is none."""
    value: Json = json.loads(raw, parse_float=Decimal)
    return value


def write_json(value: Json) -> bytes:
    """The bytes that Xero would send for ``value``."""
    return _render(value, "").encode()


def _render(value: Json, pad: str) -> str:
    if isinstance(value, Mapping):
        inner = [f"{pad}  {json.dumps(key)}: {_render(item, pad + '  ')}" for key, item in value.items()]
        return _block("{", inner, pad, "}")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _block("[", [f"{pad}  {_render(item, pad + '  ')}" for item in value], pad, "]")
    if isinstance(value, Decimal):
        return format(value, "f")
    text = json.dumps(value, ensure_ascii=False)
    # Xero escapes the slashes of its dates, and of nothing else, as .NET's serializer did.
    return text.replace("/", "\\/") if isinstance(value, str) and _MS_DATE.match(value) else text


def _block(start: str, inner: list[str], pad: str, end: str) -> str:
    return f"{start}\r\n" + ",\r\n".join(inner) + f"\r\n{pad}{end}" if inner else start + end


def ms_date(moment: datetime) -> str:
    """``moment`` as ``/Date(milliseconds+0000)/``."""
    return f"/Date({_milliseconds(moment)}+0000)/"


def envelope_date(moment: datetime) -> str:
    """``moment`` as the envelope's ``DateTimeUTC`` has it: without the offset."""
    return f"/Date({_milliseconds(moment)})/"


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def calendar_ms(day: date) -> str:
    """A calendar date as Xero's millisecond form: midnight UTC, whatever the organisation's zone."""
    return ms_date(datetime(day.year, day.month, day.day, tzinfo=UTC))


def calendar_string(day: date) -> str:
    """A calendar date as Xero's ``DateString`` form."""
    return f"{day.isoformat()}T00:00:00"


def read_ms_date(value: Json) -> datetime:
    """The instant of a millisecond date. Raises ``ValueError`` for anything else."""
    found = _MS_DATE.match(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("not a millisecond date")
    return _EPOCH + timedelta(milliseconds=int(found.group(1)))


def money(amount: Decimal) -> Decimal:
    """``amount`` with the two decimals that Xero writes."""
    return amount.quantize(Decimal("0.01"))


def text_of(record: Mapping[str, Json], name: str) -> str:
    """A text field, or ``""`` where it is absent."""
    value = record.get(name)
    return value if isinstance(value, str) else ""


def amount_of(record: Mapping[str, Json], name: str) -> Decimal:
    """A number field, or zero where it is absent."""
    value = record.get(name)
    return Decimal(value) if isinstance(value, int | Decimal) else Decimal(0)


def records_of(value: Json) -> list[Record]:
    """The objects of a list, as records of their own; anything else holds none."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [dict(item) for item in value if isinstance(item, Mapping)]


def record_of(value: Json) -> Record:
    """An object as a record of its own; anything else is empty."""
    return dict(value) if isinstance(value, Mapping) else {}
