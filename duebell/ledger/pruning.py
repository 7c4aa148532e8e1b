"""Letting go of history: what past verdicts rested on is kept for thirteen months."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Delete, Engine, Select, delete, select, tuple_
from sqlmodel import col

from duebell.ledger.tables import EarlierVersion, KeptVerdict
from duebell.ledger.writing import writing

KEPT_FOR = timedelta(days=400)
"""Long enough to look at the same month of last year. Policy texts stay: they are few, and name nobody."""

LOT = 500
"""Rows a transaction: nobody waits long for it."""


def prune(engine: Engine, now: datetime) -> int:
    """Remove verdicts that were made, and versions that were replaced, before then; returns how many rows.

    No verdict that stays rests on a version that goes: it was made while that version was the present one.
    """
    before = now - KEPT_FOR
    verdict_id = col(KeptVerdict.verdict_id)
    version = (
        col(EarlierVersion.tenant_id),
        col(EarlierVersion.category),
        col(EarlierVersion.record_id),
        col(EarlierVersion.version),
    )
    verdicts: Select[Any] = select(verdict_id).where(col(KeptVerdict.at) < before)
    versions: Select[Any] = select(*version).where(col(EarlierVersion.replaced_at) < before)
    return _remove(engine, now, delete(KeptVerdict).where(verdict_id.in_(verdicts.limit(LOT)))) + _remove(
        engine, now, delete(EarlierVersion).where(tuple_(*version).in_(versions.limit(LOT)))
    )


def _remove(engine: Engine, now: datetime, lot: Delete) -> int:
    removed = 0
    while True:
        with writing(engine, now) as book:
            gone = book.session.connection().execute(lot).rowcount
        removed += gone
        if gone < LOT:
            return removed
