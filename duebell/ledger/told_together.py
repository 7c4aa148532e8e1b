"""What one message told beside the news that led it, also where its group is another once it is proven.

A message that its provider refused, or does not list, may have arrived all the same. Until that is proven its
notifications wait: others join them, which that message did not tell, and some leave that it did.
"""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from duebell.audit import Entry
from duebell.ledger import groups, legs, moving, present
from duebell.ledger.meaning import said_of
from duebell.ledger.notifications import GIVEN_BACK
from duebell.ledger.tables import Attempt, Notification
from duebell.ledger.writing import Writing
from duebell.states import MAY_EXIST, WAITING, AttemptState, NotificationState, may_stand_apart

S = NotificationState
NOBODY_KNEW = {*WAITING, S.CLAIMED, S.SKIPPED, S.GIVEN_UP}
"""The states of what is taken for untold, whatever a message about it has come to since."""


def noted(told: Sequence[int]) -> str:
    """As an attempt keeps which notifications its message tells beside its own."""
    return " ".join(map(str, told))


def is_late(attempt: Attempt, lead: Notification) -> bool:
    """Whether the group may be another since: its message is under way no more, and nothing showed it."""
    on_its_claim = lead.lead_id is None and attempt.lease_token == lead.lease_token
    is_under_way = on_its_claim and S(lead.state) in {S.SENDING, S.UNKNOWN}
    return attempt.told_with is not None and attempt.sid is None and not is_under_way


def step_out(book: Writing, attempt: Attempt, row: Notification) -> None:
    """Have one that has joined another since this message was posted rest on this message again."""
    if row.lead_id is None:
        return
    lead = book.session.get_one(Notification, row.lead_id)
    row.lead_id = None
    _told_apart(book, attempt, lead, row)
    book.session.flush()


def let_go(book: Writing, attempt: Attempt, lead: Notification) -> None:
    """Have those who joined the lead since, and wait, go their own way: this message did not tell them."""
    told = _told(attempt)
    for row in groups.of_lead(book.session, attempt.notification_id):
        if row.notification_id not in told and S(row.state) in NOBODY_KNEW:
            set_apart(book, row)
            _told_apart(book, attempt, lead, row)
    book.session.flush()


def take_in(book: Writing, attempt: Attempt, lead: Notification, *, actor: str) -> None:
    """Have those who left the lead since, and were told by nothing else, stand where it stands."""
    if AttemptState(attempt.state) is not AttemptState.ACCEPTED:
        return
    if lead.lead_id is not None:  # its message told it later, and got as far or further
        lead = present.notification(book.session, lead.lead_id)
    for row in _gone(book.session, attempt):
        if S(row.state) not in NOBODY_KNEW:
            continue
        for other in groups.of_lead(book.session, row.notification_id or 0):
            set_apart(book, other)
        token = max(row.lease_token, lead.lease_token)  # its own claims stay counted
        moving.follow(row, lead)
        for name in groups.TAKEN_OVER:
            setattr(row, name, getattr(lead, name))
        row.lead_id, row.lease_token, row.updated_at = lead.notification_id, token, book.now
        book.session.add(row)
        details = {"reason": lead.reason, "lead": lead.key, "attempt": attempt.attempt_id}
        action = f"notification {lead.state}"
        book.audit(Entry(actor, action, "notification", row.key, row.tenant_id, details=details))
    book.session.flush()


def stood_by(attempt: Attempt) -> NotificationState:
    """Where a notification stands that rests on this attempt alone."""
    return said_of(attempt) if attempt.sid is not None else S.UNKNOWN


def rest_on_it(
    book: Writing, attempt: Attempt, lead: Notification, stood: NotificationState
) -> Notification | None:
    """Have those that this message alone told rest on it alone, and stand where it ``stood``; returns the one
    of them that leads the others, if there are any.

    Their lead rests on another message, which was proven late and did not tell them.
    """
    apart = may_stand_apart(S(lead.state), stood)
    rest = _told_by_it_alone(book.session, attempt) if apart else []
    own = legs.of_attempt(book.session, attempt)
    leg = legs.last_of(legs.of(book.session, rest[0].notification_id or 0), own.channel) if rest else None
    if leg is None:
        return None
    heir = rest[0]
    for row in rest:
        row.lead_id = None if row is heir else heir.notification_id
        moving.stand_apart(row, stood)
        row.lease_until, row.updated_at = None, book.now
        row.leg_position = leg.position
        _told_apart(book, attempt, lead, row)
    also_told = (_told(attempt) | {attempt.notification_id}) - {heir.notification_id}
    attempt.notification_id, attempt.leg_id = heir.notification_id or 0, leg.leg_id or 0
    attempt.told_with = noted(sorted(also_told))
    heir.lease_token += 1  # one that none of its own attempts stands on
    attempt.lease_token = heir.lease_token
    book.session.flush()
    return heir


def _told_apart(book: Writing, attempt: Attempt, lead: Notification, row: Notification) -> None:
    details = {"lead": lead.key, "attempt": attempt.attempt_id}
    book.audit(Entry("plan", "told apart", "notification", row.key, row.tenant_id, details=details))


def _told_by_it_alone(session: Session, attempt: Attempt) -> list[Notification]:
    """Those of its group that no other message about its lead told, or may have told."""
    others = present.other_attempts(session, attempt.notification_id, attempt.attempt_id)
    speaking = [one for one in others if AttemptState(one.state) in MAY_EXIST]
    if not speaking or any(one.told_with is None for one in speaking):  # of those nobody knows whom they told
        return []
    told = _told(attempt).difference(*map(_told, speaking))
    return [row for row in groups.of_lead(session, attempt.notification_id) if row.notification_id in told]


def set_apart(book: Writing, row: Notification) -> None:
    """Have one that is told in another's message go its own way: as it waits, or decided anew."""
    if S(row.state) in GIVEN_BACK:
        row.lead_id = None
        book.session.add(row)
    else:
        groups.leave(book, row, S.PLANNED, "", not_before=book.now, dispatch_at=book.now)


def _told(attempt: Attempt) -> set[int]:
    return {int(one) for one in (attempt.told_with or "").split()}


def _gone(session: Session, attempt: Attempt) -> Sequence[Notification]:
    told = _told(attempt)
    if not told:
        return []
    wanted = select(Notification).where(
        col(Notification.notification_id).in_(told),
        col(Notification.lead_id).is_distinct_from(attempt.notification_id),
    )
    ordered = wanted.order_by(col(Notification.notification_id)).with_for_update()
    return session.exec(ordered.execution_options(populate_existing=True)).all()
