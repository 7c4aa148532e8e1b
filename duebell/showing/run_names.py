"""What runs are called in Prefect's UI where nothing else tells them apart: by ids and times, no names."""

from collections.abc import Sequence
from datetime import UTC, datetime

from duebell.render.values import one_line

OF_ID = 8
"""As many characters of an id as a person reads; the tags and the parameters of a run have the whole."""


def of_drain(tenant_id: str) -> str:
    """A run that handles the events of an organisation."""
    return f"drain {tenant_id[:OF_ID]}"


def of_those(what: str, ids: Sequence[str] | None, at: datetime) -> str:
    """A run that is about these, such as ``poll-xero 5a4db0c5 and 1 more``; one of a schedule, which names
    none, by its time: ``poll-xero 2026-11-20 01:05 UTC``.
    """
    if not ids:
        return f"{what} {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{what} {ids[0][:OF_ID]}{_more(ids)}"


def of_replay(tenant_id: str, invoices: Sequence[str] | None, since: object, until: object) -> str:
    """A replay, by its invoices as a person named them, or by its organisation and period."""
    if invoices:
        return f"replay {one_line(invoices[0])}{_more(invoices)}"
    ends = ((word, str(end)[:16]) for word, end in (("since", since), ("until", until)) if end)
    return " ".join([f"replay {tenant_id[:OF_ID]}", *(f"{word} {end}" for word, end in ends)])


def _more(those: Sequence[str]) -> str:
    return f" and {len(those) - 1} more" if len(those) > 1 else ""
