"""Notifications: planned once by their key, and claimed by one sender at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, update
from sqlalchemy.sql.dml import UpdateBase
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.audit import Entry
from duebell.failpoints import fail_point
from duebell.ledger import groups, kept_verdicts, legs, verdicts
from duebell.ledger.built_once import built_once
from duebell.ledger.inserting import insert_new
from duebell.ledger.kept_verdicts import Grounds
from duebell.ledger.moving import InvariantBroken, leaving
from duebell.ledger.tables import Notification
from duebell.ledger.writing import Writing
from duebell.policy.verdict import Hold, Send, Verdict
from duebell.policy_file.shapes import FallBack
from duebell.states import WAITING, NotificationState

SEND_LEASE = timedelta(seconds=75)
"""Longer than twice the time that one call to Twilio may take, and a margin for the commits around it."""

S = NotificationState

GIVEN_BACK = WAITING | {S.SKIPPED}
"""What a claim becomes under which nothing was posted."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What somebody is owed, named by its key, before anything is decided about it."""

    key: str
    tenant_id: str
    kind: str
    subject_id: str
    invoice_id: str
    recipient: str
    contact_id: str | None
    step: str = ""
    generation: int = 0
    forced_by: str | None = None
    forced_why: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send one notification, with those told in its message, until the lease lapses; ``tells``
    are the ids of those, once that is decided.
    """

    notification_id: int
    lease_token: int
    tenant_id: str
    invoice_ids: tuple[str, ...]
    tells: tuple[int, ...] | None = None


def plan(
    book: Writing,
    owed: Owed,
    verdict: Verdict,
    *,
    actor: str,
    flow_run_id: str | None,
    takes_over: FallBack = FallBack.NEXT_DAY,
    grounds: Grounds | None = None,
) -> Notification:
    """Write down what is owed and what was decided about it; the key makes it one row for ever.

    A row that waits, or was skipped, takes the new verdict, which is kept with its ``grounds`` where it
    changes something; one that is being sent or was sent stays as it is, whatever the verdict says now.
    """
    is_new, row = _insert(book, owed), _locked(book.session, owed.key)
    if S(row.state) not in WAITING | {S.SKIPPED} or verdicts.is_for_a_person(row, verdict):
        return row
    before = (row.state, row.reason, row.not_before)
    _stand_alone(book, row)
    row.flow_run_id, row.contact_id = flow_run_id, owed.contact_id
    verdicts.apply(row, verdict, book.now)
    book.session.flush()
    if isinstance(verdict, Send | Hold):
        legs.set_ways(book.session, row, verdict, takes_over)
    if is_new or (row.state, row.reason, row.not_before) != before:
        book.audit(verdicts.entry(row, actor, verdict))
        if is_new or not isinstance(verdict, Send) or (row.state, row.reason) != before[:2]:
            kept_verdicts.keep(book, row.notification_id, grounds, actor=actor)
    return row


def _stand_alone(book: Writing, row: Notification) -> None:
    row.lead_id = None
    if S(row.state) is S.SKIPPED:
        groups.part(book, row.notification_id or 0)


def _locked(session: Session, key: str) -> Notification:
    """The row as it is now: one that this session has read before would keep its old state otherwise
    (docs.sqlalchemy.org/en/20/orm/queryguide/api.html#populate-existing).
    """
    return _lock(session, key).one()


@built_once
def _lock(key: str) -> SelectOfScalar[Notification]:
    wanted = select(Notification).where(Notification.key == key).with_for_update()
    return wanted.execution_options(populate_existing=True)


def _insert(book: Writing, owed: Owed) -> bool:
    inserted = insert_new(
        book.session,
        Notification,
        {
            "key": owed.key,
            "tenant_id": owed.tenant_id,
            "kind": owed.kind,
            "subject_id": owed.subject_id,
            "invoice_id": owed.invoice_id,
            "recipient": owed.recipient,
            "step": owed.step,
            "contact_id": owed.contact_id,
            "state": S.PLANNED.value,
            "generation": owed.generation,
            "forced_by": owed.forced_by,
            "forced_why": owed.forced_why,
            "planned_at": book.now,
            "updated_at": book.now,
        },
    )
    return inserted is not None


def claim(book: Writing, notification_id: int, owner: str) -> Claim | None:
    """Take a notification whose time has come, for this owner alone, in one statement.

    A claim of the same owner is taken over (its run is being retried); another's only once it has lapsed,
    and only from ``claimed``, where nothing was posted yet.
    """
    until = book.now + SEND_LEASE
    taken = _take(book.session, notification_id, owner, until, book.now).one_or_none()
    if taken is None:
        return None
    token, tenant_id, invoice_id = taken
    told_too = groups.claimed_with(book, notification_id, owner, token, until)
    return Claim(notification_id, token, tenant_id, tuple(dict.fromkeys((invoice_id, *told_too))))


@built_once
def _take(notification_id: int, owner: str, until: datetime, now: datetime) -> UpdateBase:
    return (
        update(Notification)
        .where(col(Notification.notification_id) == notification_id, _may_be_taken(owner, now))
        .values(
            state=S.CLAIMED.value,
            lease_owner=owner,
            lease_token=col(Notification.lease_token) + 1,
            lease_until=until,
            updated_at=now,
            flow_run_id=owner,
        )
        .returning(col(Notification.lease_token), col(Notification.tenant_id), col(Notification.invoice_id))
    )


def claim_all(book: Writing, rows: Sequence[Notification], owner: str) -> list[Claim]:
    """Take what can be taken of these, each message once, and in the order in which they are to be sent.

    What was planned first goes first: of two reminders to one customer the other has to wait for days, and
    one that always comes second, as in another currency, would wait until its stage has passed.
    """
    wanted = sorted(
        row.notification_id or 0
        for row in rows
        if row.lead_id is None and S(row.state) in {S.PLANNED, S.CLAIMED}
    )
    claims = [claim(book, notification_id, owner) for notification_id in wanted]
    fail_point("before-claims-commit")
    return [one for one in claims if one is not None]


def _may_be_taken(owner: str, now: datetime) -> ColumnElement[bool]:
    """Whether it can be claimed; one that is told in another's message is claimed with that one."""
    due = col(Notification.not_before).is_not(None) & (col(Notification.not_before) <= now)
    waits = leaving(WAITING, S.CLAIMED) & due
    lapsed_or_own = (col(Notification.lease_until) < now) | (col(Notification.lease_owner) == owner)
    alone = col(Notification.lead_id).is_(None)
    return alone & (waits | (leaving({S.CLAIMED}, S.CLAIMED) & lapsed_or_own))


def let_go(
    book: Writing,
    claimed: Claim,
    state: NotificationState,
    reason: str,
    *,
    not_before: datetime | None,
    dispatch_at: datetime | None,
    actor: str,
) -> bool:
    """Give a claim back before anything was posted, as waiting or as skipped. False for a stale claim."""
    _may_give_back_as(state)
    key = book.session.exec(
        update(Notification)
        .where(*_still_claimed(claimed), leaving({S.CLAIMED}, state))
        .values(
            state=state.value,
            reason=reason,
            not_before=not_before,
            dispatch_at=dispatch_at,
            lease_until=None,
            updated_at=book.now,
        )
        .returning(col(Notification.key))
    ).scalar_one_or_none()
    if key is not None:
        action, details = f"notification {state.value}", {"reason": reason}
        book.audit(Entry(actor, action, "notification", key, claimed.tenant_id, details=details))
        groups.follow(book, claimed.notification_id, S.CLAIMED, actor=actor)
    return key is not None


def is_still_claimed(book: Writing, claimed: Claim) -> bool:
    """Whether nobody else has taken it since; until this transaction ends, nobody does."""
    return _hold_claim(book.session, claimed.notification_id, claimed.lease_token).first() is not None


@built_once
def _hold_claim(notification_id: int, lease_token: int) -> SelectOfScalar[str]:
    which = (Notification.notification_id == notification_id, Notification.lease_token == lease_token)
    return select(Notification.key).where(*which, Notification.state == S.CLAIMED.value).with_for_update()


def _may_give_back_as(state: NotificationState) -> None:
    if state not in GIVEN_BACK:
        raise InvariantBroken(f"a claim cannot be given back as {state.value}")


def _still_claimed(claimed: Claim) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Notification.notification_id) == claimed.notification_id,
        col(Notification.lease_token) == claimed.lease_token,
    )
