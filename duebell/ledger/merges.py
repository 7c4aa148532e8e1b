"""Contacts that were merged in Xero: whose is now what was told to them, or what waits for them."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from duebell.ledger.tables import ContactSnapshot

MOST_MERGES = 5
"""How many merges of contacts are followed: a longer chain, or a ring, is no answer."""


def survivors(session: Session, tenant_id: str, contact_ids: Iterable[str]) -> dict[str, str]:
    """These contacts and all that were merged into them, each with the one of these that it is now."""
    found = {one: one for one in contact_ids}
    latest = set(found)
    for _ in range(MOST_MERGES):
        into = _merges(session, tenant_id, col(ContactSnapshot.merged_to).in_(latest))
        latest = into.keys() - found.keys()
        found |= {one: found[into[one]] for one in latest}
        if not latest:
            break
    return found


def all_survivors(session: Session, tenant_id: str) -> dict[str, str]:
    """Every contact that was merged into another, with the one that it is now."""
    into = _merges(session, tenant_id)
    ends = dict(into)
    for _ in range(MOST_MERGES):
        ends = {one: into.get(end, end) for one, end in ends.items()}
    return ends


def _merges(session: Session, tenant_id: str, *which: ColumnElement[bool]) -> dict[str, str]:
    """The contacts that were merged, all or ``which`` of them, each with the one that it was merged into."""
    rows = session.exec(
        select(ContactSnapshot.contact_id, ContactSnapshot.merged_to).where(
            ContactSnapshot.tenant_id == tenant_id, col(ContactSnapshot.merged_to).is_not(None), *which
        )
    ).all()
    return {one: into for one, into in rows if into}
