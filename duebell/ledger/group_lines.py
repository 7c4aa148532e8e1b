"""The outbox of contact groups: laid out from what people want, looked at under a lease, and settled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, exists, update
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.audit import Entry
from duebell.ledger.engine import reading
from duebell.ledger.inserting import insert_missing
from duebell.ledger.tables import ConsentWish, GroupLine, WriteBack
from duebell.ledger.wishes import wish_of
from duebell.ledger.writing import Writing
from duebell.preferences.writing_back import Line, Stands, laid_out, shows

LEASE = timedelta(minutes=10)
"""Longer than a run waits for its turns at one organisation."""

ACTOR = "mirror_preferences"

UNSETTLED = (Stands.OWED.value, Stands.REFUSED.value)


def missing(group_name: str) -> str:
    """What is said where Xero lacks the group. It is not made: of a slip in its name there would be two."""
    return f"Xero has no contact group {group_name!r}: make it there, or name another as write_back_group"


@dataclass(frozen=True, slots=True)
class Group:
    """One organisation, the name of its group, and its contacts' numbers by the contacts' ids."""

    tenant_id: str
    name: str
    numbers: Mapping[str, str]


def lay_out(book: Writing, groups: Sequence[Group]) -> None:
    """Make the lines of these organisations what their contacts want; what was wished is laid out by that.

    So are the lines of the name that the group had when it was last looked at: it may be the same group.
    """
    rows = book.session.exec(_all_wishes()).all()
    stopped = {row.address for row in rows if (wish := wish_of(row)) is not None and shows(wish)}
    for row in rows:
        row.groups_look_at = None
    for group in groups:
        _lay_out(book, group, stopped)


def _all_wishes() -> SelectOfScalar[ConsentWish]:
    return select(ConsentWish).order_by(col(ConsentWish.address)).with_for_update()


def _lay_out(book: Writing, group: Group, stopped: set[str]) -> None:
    lines = {row.contact_id: row for row in held(book.session, group.tenant_id, group.name)}
    wanted = {contact: number for contact, number in group.numbers.items() if number in stopped}
    for contact_id in sorted({*lines, *wanted}):
        row = lines.get(contact_id)
        line = laid_out(line_of(row) if row else None, book.now, stopped=contact_id in wanted)
        if line is None:
            continue
        if row is None:
            row = GroupLine(tenant_id=group.tenant_id, contact_id=contact_id, group_name=group.name,
                            address=wanted[contact_id], wanted=True, stands="")  # fmt: skip
        row.address = wanted.get(contact_id, row.address)
        write(row, line)
        book.session.add(row)
    former = _former_name(book.session, group.tenant_id, group.name)
    for row in held(book.session, group.tenant_id, former) if former else ():
        line = laid_out(line_of(row), book.now, stopped=row.contact_id in wanted)
        if line is not None:
            write(row, line)


def _former_name(session: Session, tenant_id: str, group_name: str) -> str:
    """The name that the group had when it was last looked at, where that is another; else nothing."""
    known = session.get(WriteBack, tenant_id)
    return known.group_name if known is not None and known.group_name != group_name else ""


def named_anew(session: Session, groups: Mapping[str, str]) -> list[str]:
    """The organisations whose group, of these by organisation, had another name when it was looked at.

    Only where lines are kept under that other name: they may have to be carried over.
    """
    under_it = (col(GroupLine.tenant_id) == WriteBack.tenant_id) & (
        col(GroupLine.group_name) == WriteBack.group_name
    )
    wanted = select(WriteBack.tenant_id, WriteBack.group_name).where(exists().where(under_it))
    return [one for one, name in session.exec(wanted).all() if groups.get(one, name) != name]


def found_as(book: Writing, tenant_id: str, group_name: str, group_id: str) -> None:
    """Remember which id the group has; what was kept for that id under another name is carried over.

    The wishes are held meanwhile: who lays them out would make lines of that name as well.
    """
    known = book.session.get_one(WriteBack, tenant_id, with_for_update=True, populate_existing=True)
    if known.group_id == group_id and known.group_name != group_name:
        book.session.exec(_all_wishes()).all()
        _carry_over(book, tenant_id, known.group_name, group_name)
        details = {"from": known.group_name, "to": group_name}
        book.audit(Entry(ACTOR, "contact group renamed", "tenant", tenant_id, tenant_id, details=details))
    known.group_name, known.group_id = group_name, group_id


def _carry_over(book: Writing, tenant_id: str, former: str, group_name: str) -> None:
    """Whom we put into the group, and when, holds under its new name; what is wanted stands there already."""
    lines = {row.contact_id: row for row in held(book.session, tenant_id, group_name)}
    for row in held(book.session, tenant_id, former):
        new = lines.get(row.contact_id)
        if new is None:
            row.group_name = group_name
            continue
        new.ours, new.adding_since, new.written_at = row.ours, row.adding_since, row.written_at
        book.session.delete(row)


def shelve(book: Writing, groups: Mapping[str, str]) -> None:
    """Let rest what is owed to no group of these, by organisation: no run is to come for it."""
    rows = book.session.exec(select(GroupLine).where(col(GroupLine.next_at).is_not(None))).all()
    for row in rows:
        if groups.get(row.tenant_id) != row.group_name:
            row.next_at = None


def held(session: Session, tenant_id: str, group_name: str) -> Sequence[GroupLine]:
    """The lines of an organisation's group, for this transaction alone where it writes."""
    wanted = select(GroupLine).where(GroupLine.tenant_id == tenant_id, GroupLine.group_name == group_name)
    return session.exec(wanted.order_by(col(GroupLine.contact_id)).with_for_update()).all()


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    leased = select(WriteBack.tenant_id).where(col(WriteBack.lease_until) > now)
    return (
        col(GroupLine.stands).in_(UNSETTLED),
        col(GroupLine.next_at) <= now,
        col(GroupLine.tenant_id).not_in(leased),
    )


def due(session: Session, now: datetime, *, everything: bool) -> list[str]:
    """The organisations whose group is to be looked at now; of all that have lines, with ``everything``."""
    which = () if everything else _is_due(now)
    wanted = select(GroupLine.tenant_id).where(*which).distinct().order_by(col(GroupLine.tenant_id))
    return list(session.exec(wanted).all())


def is_due(engine: Engine, now: datetime) -> bool:
    """Whether a wish is to be laid out for Xero, or a group to be looked at, by now."""
    with reading(engine) as session:
        wishes = select(ConsentWish.address).where(col(ConsentWish.groups_look_at) <= now).limit(1)
        lines = select(GroupLine.line_id).where(*_is_due(now)).limit(1)
        return session.exec(wishes).first() is not None or session.exec(lines).first() is not None


def take_lease(book: Writing, tenant_id: str) -> datetime | None:
    """The right to change an organisation's group alone, until then; nothing where another has it."""
    insert_missing(book.session, [WriteBack(tenant_id=tenant_id, changed_at=book.now)])
    until = book.now + LEASE
    taken = book.session.exec(
        update(WriteBack)
        .where(
            col(WriteBack.tenant_id) == tenant_id,
            col(WriteBack.lease_until).is_(None) | (col(WriteBack.lease_until) <= book.now),
        )
        .values(lease_until=until)
        .returning(col(WriteBack.tenant_id))
    ).scalar_one_or_none()
    return until if taken else None


def drop_lease(book: Writing, tenant_id: str, lease: datetime) -> None:
    """Leave the group to the next; nothing where the lease is another's by now."""
    mine = update(WriteBack).where(col(WriteBack.tenant_id) == tenant_id, col(WriteBack.lease_until) == lease)
    book.session.exec(mine.values(lease_until=None))


def turn_all(book: Writing, tenant_id: str, group_name: str, turn: Callable[[str, Line], Line]) -> None:
    """Write every line of a group anew, as ``turn`` makes it of the contact's id and the line."""
    for row in held(book.session, tenant_id, group_name):
        write(row, turn(row.contact_id, line_of(row)))


def found(book: Writing, tenant_id: str, why: str) -> None:
    """Remember that the group cannot be written (``why``), or that it can (empty); said where it is news."""
    row = book.session.get_one(WriteBack, tenant_id, with_for_update=True, populate_existing=True)
    if row.why == why:
        return
    row.why, row.changed_at = why, book.now
    action = "contact group cannot be written" if why else "contact group is written again"
    book.audit(Entry(ACTOR, action, "tenant", tenant_id, tenant_id, details={"why": why}))


def why_off(session: Session, tenant_id: str) -> str:
    """Why an organisation's group is not written; empty where it is, or was never asked for."""
    row = session.get(WriteBack, tenant_id)
    return row.why if row is not None else ""


def counts(session: Session, tenant_id: str, group_name: str) -> dict[str, int]:
    """How many lines of a group stand how."""
    wanted = select(GroupLine.stands, func.count()).where(
        GroupLine.tenant_id == tenant_id, GroupLine.group_name == group_name
    )
    return dict(session.exec(wanted.group_by(col(GroupLine.stands))).all())


def of_address(session: Session, address: str) -> Sequence[GroupLine]:
    """The lines of one number."""
    wanted = select(GroupLine).where(GroupLine.address == address)
    return session.exec(wanted.order_by(col(GroupLine.tenant_id), col(GroupLine.line_id))).all()


def of_contacts(session: Session, tenant_id: str, group_name: str) -> dict[str, Line]:
    """The lines of a group, by the contacts' ids; until it is looked at, also those of its former name."""
    wanted = select(GroupLine).where(GroupLine.tenant_id == tenant_id)
    found = session.exec(wanted.where(GroupLine.group_name == group_name)).all()
    lines = {row.contact_id: line_of(row) for row in found}
    if former := _former_name(session, tenant_id, group_name):
        for row in session.exec(wanted.where(GroupLine.group_name == former)).all():
            line = line_of(row)
            if line.may_be_ours or row.contact_id not in lines:
                lines[row.contact_id] = line
    return lines


def line_of(row: GroupLine) -> Line:
    """A kept line."""
    return Line(row.wanted, Stands(row.stands), row.next_at, row.ours, row.version, row.adding_since,
                row.written_at, row.tries, row.answer)  # fmt: skip


def write(row: GroupLine, line: Line) -> None:
    """Keep a line in its row."""
    row.wanted, row.stands, row.next_at = line.wanted, line.stands.value, line.next_at
    row.ours, row.version, row.adding_since = line.ours, line.version, line.adding_since
    row.written_at, row.tries, row.answer = line.written_at, line.tries, line.answer
