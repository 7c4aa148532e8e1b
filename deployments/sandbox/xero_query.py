"""Reading Xero's query parameters, and the rows that they choose."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from starlette.requests import Request

from deployments.sandbox.inbound import query_pairs
from deployments.sandbox.wire import Json, Record, read_ms_date, text_of

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


class QueryRefusedError(Exception):
    """Xero cannot read a parameter's value: 400, ``QueryParseException``, with this message."""


class NotModelledError(Exception):
    """The sandbox does not know a parameter: 501, so that nobody believes it was heeded."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which page of which size; ``number`` is ``None`` where nobody asked for paging."""

    number: int | None
    size: int

    def cut(self, rows: Sequence[Record]) -> Sequence[Record]:
        """The rows of this page."""
        first = ((self.number or 1) - 1) * self.size
        return rows[first : first + self.size]

    def told(self, count: int) -> Record:
        """The ``pagination`` of an answer of ``count`` rows in all."""
        pages = -(-count // self.size)
        return {"page": self.number or 1, "pageSize": self.size, "pageCount": pages, "itemCount": count}


def parameters(request: Request, known: Iterable[str]) -> dict[str, str]:
    """The query's parameters by name. Raises ``NotModelledError`` for an unknown or a repeated one."""
    found: dict[str, str] = {}
    for name, value in query_pairs(request):
        if name not in known or name in found:
            raise NotModelledError(f"query parameter {name}")
        found[name] = value
    return found


def page_of(query: Mapping[str, str], *, forced: bool) -> Page:
    """The page asked for; a size out of range is clamped, as Xero does."""
    size = _whole(query.get("pageSize", str(DEFAULT_PAGE_SIZE)))
    number = max(1, _whole(query["page"])) if "page" in query else None
    paged = forced or "pageSize" in query
    return Page(1 if number is None and paged else number, min(MAX_PAGE_SIZE, max(1, size)))


def _whole(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise QueryRefusedError(f"{value} is no whole number") from None


def listed(query: Mapping[str, str], name: str) -> frozenset[str] | None:
    """A comma list as lower-case words, or ``None`` where the parameter is absent."""
    return frozenset(word.strip().lower() for word in query[name].split(",")) if name in query else None


def truth(query: Mapping[str, str], name: str) -> bool:
    """A boolean parameter. Raises ``QueryRefusedError`` for another word."""
    value = query.get(name, "false").lower()
    if value not in {"true", "false"}:
        raise QueryRefusedError(f"{value} is neither true nor false")
    return value == "true"


def modified_since(request: Request) -> datetime | None:
    """The moment of ``If-Modified-Since``, by the second.

    A value that Xero cannot read is silently ignored and the whole history is answered
    (XeroAPI/xero-node#272), so the sandbox does the same.
    """
    value = request.headers.get("if-modified-since", "").strip()
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(value)
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def changed_since(rows: Iterable[Record], since: datetime | None) -> list[Record]:
    """The rows changed at or after that second."""
    if since is None:
        return list(rows)
    second = since.replace(microsecond=0)
    return [row for row in rows if read_ms_date(row["UpdatedDateUTC"]) >= second]


def chosen(rows: Iterable[Record], name: str, words: frozenset[str] | None) -> list[Record]:
    """The rows whose field is one of the words; all of them where no words were given."""
    return [row for row in rows if words is None or text_of(row, name).lower() in words]


def ordered(rows: Iterable[Record], order: str | None, names: Sequence[str]) -> list[Record]:
    """The rows in the asked order, by default ``UpdatedDateUTC ASC`` and then the id.

    ``names`` are the fields that the rows may be ordered by, the id first.
    """
    words = (order or "UpdatedDateUTC").split()
    known = {name.lower(): name for name in names}
    name = known.get(words[0].lower()) if words else None
    way = words[1].upper() if len(words) > 1 else "ASC"
    if name is None or way not in {"ASC", "DESC"} or len(words) > 2:
        raise QueryRefusedError(f"No such order: {order}")
    by_id = sorted(rows, key=lambda row: text_of(row, names[0]))
    return sorted(by_id, key=lambda row: _sortable(row.get(name)), reverse=way == "DESC")


def _sortable(value: Json) -> tuple[float, str]:
    try:
        return read_ms_date(value).timestamp(), ""
    except ValueError:
        return 0.0, value if isinstance(value, str) else ""
