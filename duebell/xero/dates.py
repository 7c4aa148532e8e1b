"""Xero's spellings of dates and instants.

Source: developer.xero.com/documentation/api/accounting/requests-and-responses. A calendar date is what the
organisation wrote and is never moved between zones. An instant is UTC even where Xero leaves the ``Z`` away.
What cannot be read raises ``BadField`` with the field's name; there is no default.
"""

import re
from datetime import UTC, date, datetime, timedelta

from duebell.xero.reader import BadField

EARLIEST_YEAR = 1900  # .NET writes an empty date as the year 1; nobody owes since then
LATEST_YEAR = 2999  # beyond it a step of days or a change of zone would overflow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS_DATE = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{4})?\)/", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:T.*)?", re.ASCII)
_ISO_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)


def calendar_date(field: str, value: object) -> date:
    """The UTC day of ``/Date(1539993600000+0000)/``; the first ten characters of ``2018-10-20T00:00:00``."""
    milliseconds = _milliseconds(value)
    try:
        if milliseconds is not None:
            return _plausible(_EPOCH + timedelta(milliseconds=milliseconds)).date()
        if isinstance(value, str) and _ISO_DATE.fullmatch(value):
            return _plausible(datetime.fromisoformat(value[:10])).date()
    except (ValueError, OverflowError):
        pass
    raise BadField(field, "a calendar date")


def instant(field: str, value: object) -> datetime:
    """Aware UTC of ``/Date(1541176592690+0000)/`` or ISO 8601; without a zone it is UTC, as Xero means it."""
    milliseconds = _milliseconds(value)
    try:
        if milliseconds is not None:
            return _plausible(_EPOCH + timedelta(milliseconds=milliseconds))
        if isinstance(value, str) and _ISO_INSTANT.fullmatch(value):
            moment = datetime.fromisoformat(value)
            return _plausible(moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        pass
    raise BadField(field, "a moment in time")


def _milliseconds(value: object) -> int | None:
    """The number within an ms-date. Its suffix is decoration: ``+1300`` does not move the instant."""
    found = _MS_DATE.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) if found else None


def _plausible(moment: datetime) -> datetime:
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise ValueError
    return moment
