"""A contact changed: what waits for it, or was left out because of it, is decided anew. Nobody is told."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlmodel import col, or_, select

from duebell.books.reading import Reading
from duebell.deciding.deciding import Rules
from duebell.ledger import handing_over, inbox, planning_turns, scheduled, snapshots
from duebell.ledger.inbox import ClaimedEvent
from duebell.ledger.tables import ContactSnapshot, Notification
from duebell.ledger.writing import Writing
from duebell.planning.draining import RunToStart, leave, runs_for
from duebell.planning.planning import plan_kind
from duebell.policy.reasons import CURED_WITHIN, OF_THE_CONTACT
from duebell.states import WAITING, NotificationState

CONTACT_CHANGED = "contact_changed"
ACTOR = CONTACT_CHANGED

FOR_A_RUN = "contact_changed brings in step what waits for the contact"
"""What is said of an event that is left open for its run."""


@dataclass(frozen=True, slots=True)
class InStep:
    """How many notifications were decided anew, and the runs for those that are now to be told."""

    decided: int
    runs: tuple[RunToStart, ...]

    def sentence(self) -> str:
        """It in words, for the run's state."""
        return f"{self.decided} notifications decided anew"


def hand_over(
    book: Writing, tenant_id: str, events: Sequence[ClaimedEvent], reading: Reading
) -> list[RunToStart]:
    """Close the events of contacts that nothing waits for; the others are for a run of ``contact_changed``.

    Their events stay open until that run has done its work, so that losing the run loses nothing. In a
    transaction that plans nothing before: a plan that leaves a contact out may not be committed yet, and
    nobody would look at it again.
    """
    planning_turns.changes(book, tenant_id)
    troubled = set(reading.unread)
    about_contacts = [event for event in events if event.category == "CONTACT"]
    ids = [event.resource_id for event in about_contacts]
    concerned = _concerned(book, tenant_id, ids)
    scheduled.look_soon_at_contacts(
        book, tenant_id, set[str]().union(*_families(book, tenant_id, ids).values())
    )
    for event in about_contacts:
        if event.resource_id in troubled:
            leave(book, tenant_id, event, reading)
        elif event.resource_id in concerned:
            handing_over.hand_over(book, event, FOR_A_RUN)
        else:
            inbox.finish(book, event, "contact read anew; nothing waits for it")
    wanted = tuple(sorted(concerned - troubled))
    return [RunToStart(CONTACT_CHANGED, wanted, parameter="contact_ids")] if wanted else []


def bring_in_step(
    book: Writing, tenant_id: str, contact_ids: Sequence[str], rules: Rules, *, flow_run_id: str | None
) -> InStep:
    """Decide anew on every open notification of these contacts, and close the contacts' events."""
    planning_turns.changes(book, tenant_id)
    everyone = set[str]().union(*_families(book, tenant_id, contact_ids).values())
    rows = book.session.exec(select(Notification).where(*_open(book, tenant_id, everyone))).all()
    by_kind: dict[str, set[str]] = {}
    for row in rows:
        by_kind.setdefault(row.kind, set()).add(row.invoice_id)
    runs: list[RunToStart] = []
    for kind, invoice_ids in by_kind.items():
        ids = sorted(invoice_ids)
        runs += runs_for(
            book,
            plan_kind(book, tenant_id, kind, ids, rules, actor=ACTOR, flow_run_id=flow_run_id, begins=False),
        )
    _close_events(book, tenant_id, contact_ids)
    return InStep(len(rows), tuple(runs))


def _close_events(book: Writing, tenant_id: str, contact_ids: Sequence[str]) -> None:
    """Close the events of these contacts: what they tell of is done.

    Polling may have brought a merge since this run read them. Then nobody has read who is left, and an event
    that no drain has looked at tells of it: it stays.
    """
    read = snapshots.read_contacts(book.session, tenant_id, contact_ids)
    merged = {key: one.contact.merged_to for key, one in read.items() if one.contact.merged_to}
    left = snapshots.read_contacts(book.session, tenant_id, sorted(merged.values()))
    for contact_id, one in read.items():
        is_open = contact_id in merged and merged[contact_id] not in left
        handing_over.finish_read(
            book, tenant_id, "CONTACT", contact_id, one.read_at, "brought in step",
            left_as=FOR_A_RUN if is_open else "",
        )  # fmt: skip


def _concerned(book: Writing, tenant_id: str, contact_ids: Sequence[str]) -> set[str]:
    """Those of the contacts that something waits for, under their own id or one merged with it."""
    families = _families(book, tenant_id, contact_ids)
    everyone = set[str]().union(*families.values())
    waiting = book.session.exec(
        select(Notification.contact_id).where(*_open(book, tenant_id, everyone)).distinct()
    ).all()
    return {contact_id for contact_id, family in families.items() if family.intersection(waiting)}


def _open(book: Writing, tenant_id: str, contact_ids: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    left_out = or_(*(col(Notification.reason).startswith(reason.value) for reason in OF_THE_CONTACT))
    return (
        col(Notification.tenant_id) == tenant_id,
        col(Notification.contact_id).in_(contact_ids),
        col(Notification.state).in_([state.value for state in WAITING])
        | (
            (col(Notification.state) == NotificationState.SKIPPED.value)
            & left_out
            & (col(Notification.planned_at) > book.now - CURED_WITHIN)
        ),
    )


def _families(book: Writing, tenant_id: str, contact_ids: Sequence[str]) -> dict[str, set[str]]:
    """Each contact with those that were merged into it, and the one that it was merged into."""
    families = {one: {one} for one in contact_ids}
    rows = book.session.exec(
        select(ContactSnapshot.contact_id, ContactSnapshot.merged_to).where(
            ContactSnapshot.tenant_id == tenant_id,
            col(ContactSnapshot.merged_to).in_(contact_ids)
            | col(ContactSnapshot.contact_id).in_(contact_ids),
        )
    ).all()
    for contact_id, merged_to in rows:
        pair = {contact_id, merged_to} if merged_to else {contact_id}
        for one in pair & families.keys():
            families[one] |= pair
    return families
