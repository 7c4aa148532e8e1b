"""Query strings for Xero, built by hand: 50 ids fit only with raw commas, which httpx would escape."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from duebell.errors import Permanent
from duebell.xero.reader import uuid_of

IDS_PER_QUERY = 50
"""55 ids make 2,045 characters and pass, 56 fail; 50 leaves room for the other parameters."""

PAGE_SIZE = 1_000
"""Xero's largest page; it clamps what is beyond."""

SALES_ONLY = "where=Type%3D%3D%22ACCREC%22"
"""The filter ``Type=="ACCREC"``, escaped, which leaves bills out."""


def of_type(status: str, type_: str) -> str:
    """The filter ``Status=="…" AND Type=="…"``, escaped, of any type where that is empty.

    Both are Xero's words of letters and hyphens. Types are not asked for by OR: a word that Xero does not
    know might have the whole query refused.
    """
    of_this = f"%20AND%20Type%3D%3D%22{type_}%22" if type_ else ""
    return f"where=Status%3D%3D%22{status}%22{of_this}&"


def of_statuses(statuses: Sequence[str]) -> str:
    """The filter for these of Xero's words (``AUTHORISED``), empty for none of them.

    Raises ``Permanent`` for what is no such word: whatever else stood in it would become part of the query.
    """
    if not all(one.isascii() and one.isalpha() for one in statuses):
        raise Permanent("a status to ask Xero for is not one of its words")
    return f"Statuses={','.join(statuses)}&" if statuses else ""


def record_ids(ids: Iterable[str]) -> tuple[str, ...]:
    """The ids in lower case, each once, in their order. Raises ``Permanent`` where one is no UUID."""
    checked = tuple(uuid_of(given) for given in ids)
    known = tuple(found for found in checked if found is not None)
    if len(known) < len(checked):
        raise Permanent(f"{len(checked) - len(known)} of {len(checked)} record ids are not UUIDs")
    return tuple(dict.fromkeys(known))


def chunks(ids: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The ids in groups that fit one query string."""
    return tuple(tuple(ids[start : start + IDS_PER_QUERY]) for start in range(0, len(ids), IDS_PER_QUERY))


def invoices_query(ids: Sequence[str]) -> str:
    """One chunk of invoices. ``page`` is what makes Xero send the line items of several."""
    return f"IDs={','.join(ids)}&page=1&pageSize={IDS_PER_QUERY}"


def contacts_query(ids: Sequence[str]) -> str:
    """One chunk of contacts, archived ones too, which Xero hides unless asked."""
    return f"IDs={','.join(ids)}&includeArchived=true&page=1"


def page_query(order: str, page: int, page_size: int, more: str = "") -> str:
    """One page of a list. ``order`` is a field that does not change while we turn the pages."""
    return f"{more}order={order}&page={page}&pageSize={page_size}"


def if_modified_since(moment: datetime) -> dict[str, str]:
    """The header that asks for what changed since; UTC, to the second, in ISO 8601 without a zone."""
    return {"If-Modified-Since": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")}
