"""Xero's own count of its webhook events: where numbers are missing, events may be.

What the count is counted by is not documented, so a gap is a hint and never a proof; nothing is refused for
it. It is kept in the transaction that keeps the events.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlmodel import col, select

from duebell.ledger.inserting import insert_missing
from duebell.ledger.tables import SequenceGap, WebhookSequence
from duebell.ledger.writing import Writing

NAME = "xero"
FEW = 10
"""By so little a count that begins anew may be behind, or its first numbers may be lost, and nobody minds."""

LARGEST = 2**31 - 1
"""What the columns hold; a count that is not plausible is not kept."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers that have not come, both ends among them, and since when that is known."""

    first: int
    last: int
    noticed_at: datetime


@dataclass(frozen=True, slots=True)
class Noted:
    """The highest number, and what became of the gaps: ``closed`` by their first numbers, then ``opened``."""

    highest: int
    closed: tuple[int, ...] = ()
    opened: tuple[Gap, ...] = ()


def is_counted(first: int | None, last: int | None) -> bool:
    """Whether a delivery's numbers say anything: the intent to receive has 0 for both."""
    return first is not None and last is not None and 0 < first <= last <= LARGEST


def after(
    highest: int | None, gaps: Sequence[Gap], first: int, last: int, now: datetime, *, is_news: bool = False
) -> Noted:
    """What the count knows after the numbers ``first`` to ``last`` came; ``highest`` is ``None`` at first.

    A delivery that comes late closes a gap, or leaves what lies on its two sides. ``is_news``: none of its
    events had come before. Where such a one bears a count's first numbers, and no gap waits for them, the
    webhook was made anew and counts from 1: what the old one still missed never comes.
    """
    if highest is None:
        return Noted(last)
    met = [gap for gap in gaps if gap.first <= last and first <= gap.last]
    if is_news and not met and first <= FEW and last + FEW < highest:
        return Noted(last, tuple(gap.first for gap in gaps))
    left = [
        Gap(*side, gap.noticed_at)
        for gap in met
        for side in ((gap.first, first - 1), (last + 1, gap.last))
        if side[0] <= side[1]
    ]
    missed = [Gap(highest + 1, first - 1, now)] if first > highest + 1 else []
    return Noted(max(highest, last), tuple(gap.first for gap in met), (*left, *missed))


def note(book: Writing, first: int, last: int, *, is_news: bool = False) -> None:
    """Write down that the events ``first`` to ``last`` came; ``is_news``: none of them had come before."""
    if not _is_next(book, first, last):
        _note_jump(book, first, last, is_news=is_news)


def _is_next(book: Writing, first: int, last: int) -> bool:
    """The ordinary case in one statement, as Xero waits for it: what came goes on from what came before."""
    went_on = book.session.exec(
        update(WebhookSequence)
        .where(col(WebhookSequence.name) == NAME, col(WebhookSequence.highest) == first - 1)
        .values(highest=last, seen_at=book.now)
        .returning(col(WebhookSequence.highest))
    ).scalar_one_or_none()
    return went_on is not None


def _note_jump(book: Writing, first: int, last: int, *, is_news: bool) -> None:
    insert_missing(book.session, [WebhookSequence(name=NAME, highest=0, seen_at=book.now)])
    row = book.session.exec(
        select(WebhookSequence).where(WebhookSequence.name == NAME).with_for_update()
    ).one()
    open_rows: dict[int, SequenceGap] = {}
    if row.highest and first <= row.highest:  # only what comes late can meet a gap
        open_rows = {gap.first_missing: gap for gap in _open_gaps(book)}
    gaps = [Gap(gap.first_missing, gap.last_missing, gap.noticed_at) for gap in open_rows.values()]
    noted = after(row.highest or None, gaps, first, last, book.now, is_news=is_news)
    row.highest, row.seen_at = noted.highest, book.now
    for number in noted.closed:
        open_rows[number].closed_at = book.now
    for gap in noted.opened:
        _open(book, gap)


def _open_gaps(book: Writing) -> Sequence[SequenceGap]:
    return book.session.exec(select(SequenceGap).where(col(SequenceGap.closed_at).is_(None))).all()


def _open(book: Writing, gap: Gap) -> None:
    """Keep a gap, in its own row where it lost only its end.

    A closed row of its number may also be from before the webhook was made anew, and counted from 1 again.
    """
    row = book.session.get(SequenceGap, gap.first)
    if row is None:
        row = SequenceGap(first_missing=gap.first, last_missing=gap.last, noticed_at=gap.noticed_at)
        book.session.add(row)
    row.last_missing, row.noticed_at, row.closed_at = gap.last, gap.noticed_at, None
