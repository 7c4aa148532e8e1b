"""What people want, as last learned: written in the transaction in which it was learned."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from duebell.ledger.inserting import insert_missing
from duebell.ledger.tables import ConsentLine, ConsentWish
from duebell.ledger.writing import Writing
from duebell.preferences.mirroring import OWN, Consent, Source, Wish, heeded


def said(book: Writing, address: str, learned: Wish) -> Wish | None:
    """Heed what was learned of a number; what it means for our senders is laid out soon.

    Whoever says something of several numbers does so in their order. A field of Xero that says nothing new,
    as at each reading of a contact, waits for nobody.
    """
    if learned.source is Source.XERO:
        stands = known(book.session, [address]).get(address)
        if stands is not None and heeded(stands, learned) == stands:
            return stands
    if learned.status is Consent.OPT_OUT:
        # Two that are the first to say something of a number take turns at this row.
        insert_missing(book.session, [ConsentWish(address=address, status="", source="", wished_at=book.now)])
    row = book.session.get(ConsentWish, address, with_for_update=True, populate_existing=True)
    before = wish_of(row) if row else None
    now = heeded(before, learned)
    if row is None or now is None or now == before:
        return now
    row.status, row.source, row.evidence = now.status.value, now.source.value, now.evidence
    row.wished_at, row.version = now.at, now.version
    row.said_to, row.tenants = _written(now.said_to), _written(now.tenants)
    row.look_at = row.groups_look_at = book.now
    book.session.flush()
    return now


def wish_of(row: ConsentWish) -> Wish | None:
    """A kept wish; none where the row only waits for its first."""
    if not row.status:
        return None
    return Wish(
        Consent(row.status),
        Source(row.source),
        row.wished_at,
        row.evidence,
        frozenset(row.said_to.split()),
        frozenset(row.tenants.split()),
        row.version,
    )


def known(session: Session, addresses: Sequence[str]) -> dict[str, Wish]:
    """What the owners of these numbers want, as far as they ever said so."""
    rows = session.exec(select(ConsentWish).where(col(ConsentWish.address).in_(addresses))).all()
    return {row.address: wish for row in rows if (wish := wish_of(row)) is not None}


def stopped_at(session: Session, address: str, own: str) -> frozenset[str]:
    """The senders at which Twilio holds that a number stopped: those that heard it, and those that we told.

    ``own`` is the installation's own sender. None where its owner did not stop, or took it back.
    """
    wish = known(session, [address]).get(address)
    if wish is None or wish.status is not Consent.OPT_OUT:
        return frozenset()
    told = select(ConsentLine.sender).where(
        ConsentLine.address == address, ConsentLine.posted_status == Consent.OPT_OUT.value
    )
    heard = frozenset(own if one == OWN else one for one in wish.said_to)
    return heard | frozenset(session.exec(told).all())


def to_lay_out(session: Session, now: datetime, *, after: str, everything: bool, most: int) -> list[str]:
    """The numbers, in their order and after that one, whose wish is to be laid out now, or all of them."""
    which = [] if everything else [col(ConsentWish.look_at) <= now]
    wanted = select(ConsentWish.address).where(col(ConsentWish.address) > after, *which)
    return list(session.exec(wanted.order_by(col(ConsentWish.address)).limit(most)).all())


def is_of_xero_to_lay_out(session: Session, now: datetime, *, everything: bool) -> bool:
    """Whether a field of Xero is among what is to be laid out."""
    which = [] if everything else [col(ConsentWish.look_at) <= now]
    wanted = select(ConsentWish.address).where(ConsentWish.source == Source.XERO.value, *which)
    return session.exec(wanted.limit(1)).first() is not None


def look_again(book: Writing, address: str) -> None:
    """Have what the owner of a number wants laid out for our senders anew."""
    row = book.session.get(ConsentWish, address, with_for_update=True, populate_existing=True)
    if row is not None:
        row.look_at = book.now
        book.session.flush()


def _written(words: Iterable[str]) -> str:
    return " ".join(sorted(words))
