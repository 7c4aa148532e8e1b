"""The outbox of consents: laid out for each sender of ours, claimed for a post, and settled by its answer."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, exists, update
from sqlmodel import Session, col, func, select

from duebell.ledger.engine import reading
from duebell.ledger.tables import ConsentLine, ConsentWish
from duebell.ledger.wishes import wish_of
from duebell.ledger.writing import Writing
from duebell.preferences.mirroring import (
    OWN,
    Consent,
    Line,
    Outcome,
    Posted,
    Source,
    Stands,
    Wish,
    answered,
    begun,
    laid_out,
    left_out,
)

LEASE = timedelta(minutes=2)
"""How long a post may take until its lines may be posted again; a whole call ends within 20 s."""

CATCHES_UP = timedelta(days=1)
"""How long Twilio's refusals are taken for the past's, while an opt-in is still on its way to it."""

SendersOf = Callable[[str, Wish], frozenset[str]]
"""The senders of ours at which the wish of a number is to be told."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A consent that is being posted. ``correlation_id`` finds its answer among the others."""

    line_id: int
    correlation_id: str
    address: str = field(repr=False)
    sender: str = field(repr=False)
    status: Consent
    source: Source
    at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one consent of a post; ``said`` holds the provider's words, for the ledger alone."""

    outcome: Outcome
    said: str = field(default="", repr=False)


def lay_out(book: Writing, addresses: Sequence[str], senders_of: SendersOf, own: str) -> None:
    """Make the lines of these numbers what their wishes want, for every sender that a wish is about.

    ``own`` is the installation's own sender.
    """
    wishes = book.session.exec(
        select(ConsentWish).where(col(ConsentWish.address).in_(addresses))
        .order_by(col(ConsentWish.address)).with_for_update()
    ).all()  # fmt: skip
    lines: dict[str, dict[str, ConsentLine]] = {}
    held = book.session.exec(
        select(ConsentLine).where(col(ConsentLine.address).in_(addresses))
        .order_by(col(ConsentLine.line_id)).with_for_update()
    ).all()  # fmt: skip
    for row in held:  # so that no answer to an earlier post is written down in between
        lines.setdefault(row.address, {})[row.sender] = row
    for row in wishes:
        row.look_at = None
        wish = wish_of(row)
        if wish is not None:
            wish = replace(wish, said_to=frozenset(own if one == OWN else one for one in wish.said_to))
            _lay_out(book, row.address, wish, lines.get(row.address, {}), senders_of(row.address, wish))


def _lay_out(
    book: Writing, address: str, wish: Wish, rows: Mapping[str, ConsentLine], senders: Collection[str]
) -> None:
    for sender in sorted({*senders, *rows}):
        row = rows.get(sender)
        line = _line_of(row) if row else None
        if sender in senders:
            line = laid_out(wish, line, sender, book.now)
        elif line is not None:
            line = left_out(wish, line)
        if line is None:
            if row is not None:
                book.session.delete(row)
            continue
        if row is None:
            row = ConsentLine(address=address, sender=sender, status="", source="", wished_at=wish.at,
                              version=0, stands="")  # fmt: skip
        _write(row, line)
        book.session.add(row)


def due(session: Session, now: datetime, senders: Collection[str], most: int) -> list[int]:
    """The lines that are to be posted now, by their ids, those that are owed longest first."""
    wanted = (
        select(ConsentLine.line_id)
        .where(*_is_due(now), col(ConsentLine.sender).in_(senders))
        .order_by(col(ConsentLine.next_at), col(ConsentLine.line_id))
        .limit(most)
    )
    return [one for one in session.exec(wanted).all() if one is not None]


def is_due(engine: Engine, now: datetime) -> bool:
    """Whether a wish is to be laid out, or a consent to be posted, by now."""
    with reading(engine) as session:
        wishes = select(ConsentWish.address).where(col(ConsentWish.look_at) <= now).limit(1)
        lines = select(ConsentLine.line_id).where(*_is_due(now)).limit(1)
        return session.exec(wishes).first() is not None or session.exec(lines).first() is not None


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Owed, its time come, in nobody's hands, and of the wish as it stands: a newer one is laid out first."""
    return (
        col(ConsentLine.stands) == Stands.OWED.value,
        col(ConsentLine.next_at) <= now,
        col(ConsentLine.lease_until).is_(None) | (col(ConsentLine.lease_until) <= now),
        exists(
            select(ConsentWish.address).where(
                col(ConsentWish.address) == col(ConsentLine.address),
                col(ConsentWish.version) == col(ConsentLine.version),
            )
        ),
    )


def claim(book: Writing, line_ids: Sequence[int], new_id: Callable[[], str]) -> list[Owed]:
    """Take these lines for a post, written down before it is made; those that are no longer due are not."""
    rows = book.session.exec(
        select(ConsentLine)
        .where(*_is_due(book.now), col(ConsentLine.line_id).in_(line_ids))
        .order_by(col(ConsentLine.line_id))
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        _write(row, begun(_line_of(row)))
        row.posted_at, row.lease_until = book.now, book.now + LEASE
        row.correlation_id = new_id()
    return [
        Owed(row.line_id or 0, row.correlation_id, row.address, row.sender, Consent(row.status),
             Source(row.source), min(row.wished_at, book.now), row.version)
        for row in rows
    ]  # fmt: skip


def settle(book: Writing, owed: Sequence[Owed], answers: Mapping[str, Answer]) -> dict[Outcome, int]:
    """Write down what came of a post, by the ids of its consents; returns how many came to what.

    An answer to a post that is not the line's last one any more changes nothing.
    """
    by_id = {one.line_id: one for one in owed}
    rows = book.session.exec(
        select(ConsentLine).where(col(ConsentLine.line_id).in_(sorted(by_id)))
        .order_by(col(ConsentLine.line_id)).with_for_update()
    ).all()  # fmt: skip
    counted: dict[Outcome, int] = {}
    for row in rows:
        one = by_id[row.line_id or 0]
        answer = answers.get(one.correlation_id, Answer(Outcome.UNANSWERED))
        counted[answer.outcome] = counted.get(answer.outcome, 0) + 1
        if row.correlation_id == one.correlation_id:
            _write(row, answered(_line_of(row), one.version, answer.outcome, answer.said, book.now))
            row.lease_until = None
    return counted


def shelve(book: Writing, senders: Collection[str]) -> None:
    """Let rest what is owed to a sender that is not among these: nobody posts it, and no run is to come."""
    rests = update(ConsentLine).where(
        col(ConsentLine.stands) == Stands.OWED.value,
        col(ConsentLine.next_at).is_not(None),
        col(ConsentLine.sender).not_in(senders),
    )
    book.session.exec(rests.values(next_at=None).execution_options(synchronize_session="fetch"))


def put_off(book: Writing, wait: timedelta) -> None:
    """Have everything that is owed wait so long from now."""
    owed = update(ConsentLine).where(
        col(ConsentLine.stands) == Stands.OWED.value, col(ConsentLine.next_at).is_not(None)
    )
    book.session.exec(owed.values(next_at=book.now + wait).execution_options(synchronize_session="fetch"))


def is_behind(session: Session, address: str, sender: str | None, now: datetime) -> bool:
    """Whether Twilio may still hold an opt-out at this sender that its owner has just taken back.

    ``None`` is for a sender that is not known here: any will do.
    """
    wish = session.get(ConsentWish, address)
    if wish is None or wish.status != Consent.OPT_IN.value or wish.wished_at < now - CATCHES_UP:
        return False
    which = [] if sender is None else [col(ConsentLine.sender) == sender]
    behind = select(ConsentLine.line_id).where(
        ConsentLine.address == address,
        (col(ConsentLine.version) < wish.version) | (col(ConsentLine.stands) == Stands.OWED.value),
        *which,
    )
    return session.exec(behind).first() is not None


def counts(session: Session) -> dict[str, int]:
    """How many lines stand how, without those that rest."""
    wanted = select(ConsentLine.stands, func.count()).where(
        (col(ConsentLine.stands) != Stands.OWED.value) | col(ConsentLine.next_at).is_not(None)
    )
    return dict(session.exec(wanted.group_by(col(ConsentLine.stands))).all())


def refused(session: Session, most: int) -> Sequence[ConsentLine]:
    """Lines that Twilio refuses as they are, the latest first."""
    wanted = select(ConsentLine).where(ConsentLine.stands == Stands.REFUSED.value)
    return session.exec(wanted.order_by(col(ConsentLine.answered_at).desc()).limit(most)).all()


def of_address(session: Session, address: str) -> Sequence[ConsentLine]:
    """The lines of one number."""
    wanted = select(ConsentLine).where(ConsentLine.address == address)
    return session.exec(wanted.order_by(col(ConsentLine.sender))).all()


def _line_of(row: ConsentLine) -> Line:
    posted = Posted(Consent(row.posted_status), row.answered_at) if row.posted_status else None
    return Line(Consent(row.status), Source(row.source), row.wished_at, row.version, Stands(row.stands),
                posted, row.tries, row.next_at, row.answer)  # fmt: skip


def _write(row: ConsentLine, line: Line) -> None:
    row.status, row.source, row.wished_at = line.status.value, line.source.value, line.at
    row.version, row.stands, row.tries = line.version, line.stands.value, line.tries
    row.next_at, row.answer = line.next_at, line.answer
    if line.posted is not None:
        row.posted_status, row.answered_at = line.posted.status.value, line.posted.answered_at
