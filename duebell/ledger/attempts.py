"""Attempts: written down before the call; those whose sender died are given up to the search for evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.sql.dml import UpdateBase
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.audit import Entry
from duebell.failpoints import fail_point
from duebell.ledger import channel_stops, groups, told_together, unsettled
from duebell.ledger.braking import keeps_from_sending
from duebell.ledger.built_once import built_once
from duebell.ledger.evidence import Conclusion, conclude
from duebell.ledger.moving import leaving, step
from duebell.ledger.notifications import Claim
from duebell.ledger.preferences import as_kept, is_refused
from duebell.ledger.tables import Attempt, Leg, Notification
from duebell.ledger.writing import Writing
from duebell.policy.reaching import EMAIL
from duebell.states import AttemptState, NotificationState

S = NotificationState


@dataclass(frozen=True, slots=True)
class Intent:
    """A call that is about to be made and stands in the ledger already.

    It is made before ``lease_until`` or not at all: from then on others hold it for lost. ``open_until`` is
    when the hours of the message are over, ``None`` where it has none; ``send_at`` when its provider is to
    send it, ``None`` for at once. ``tries`` counts it and all before it. ``batch_id`` is by what an email
    that is held can be taken back.
    """

    attempt_id: str
    notification_id: int
    lease_token: int
    lease_until: datetime
    channel: str
    address: str
    text: str
    email_subject: str = ""
    html: str = ""
    sender: str = ""
    open_until: datetime | None = None
    send_at: datetime | None = None
    tries: int = 1
    batch_id: str = ""


def begin(
    book: Writing,
    claimed: Claim,
    attempt_id: str,
    *,
    leg: Leg,
    text: str,
    read_at: datetime,
    flow_run_id: str | None,
    open_until: datetime | None = None,
    send_at: datetime | None = None,
) -> Intent | None:
    """The last gate: write the attempt down, or return ``None`` because something stands against it.

    What can stand against it, all looked at in the same statement: the claim lapsed or was lost, the brake
    is on, the address is refused. Before that: a channel that a fault of ours stopped. The caller commits.
    """
    if (passed := _pass_gate(book, claimed, leg)) is None:
        return None
    key, lease_until, told_with = passed
    attempt = _attempt(claimed, leg, attempt_id, text, book.now, told_with)
    attempt.read_age_seconds = (book.now - read_at).total_seconds()
    attempt.flow_run_id, attempt.send_at = flow_run_id, send_at
    book.session.add(attempt)
    begun = {"attempt": attempt_id} | _how(leg, send_at)
    book.audit(Entry("send", "attempt begun", "notification", key, claimed.tenant_id, flow_run_id, begun))
    tries = unsettled.tries_of(book.session, claimed.notification_id)
    return _intent(attempt, leg, lease_until, tries, open_until)


def _how(leg: Leg, send_at: datetime | None) -> dict[str, str]:
    how = {"sender": leg.sender} if leg.sender else dict[str, str]()
    if send_at is not None:
        by = "sendgrid" if leg.channel == EMAIL else "twilio"
        how["reason"] = f"held_at_{by}:{send_at:%d %b %Y %H:%M} UTC"
    return how


def _attempt(
    claimed: Claim, leg: Leg, attempt_id: str, text: str, now: datetime, told_with: Sequence[int]
) -> Attempt:
    return Attempt(
        attempt_id=attempt_id,
        notification_id=claimed.notification_id,
        leg_id=leg.leg_id or 0,
        lease_token=claimed.lease_token,
        state=AttemptState.SENDING.value,
        started_at=now,
        address=leg.address,
        text=text,
        read_age_seconds=0,
        told_with=told_together.noted(told_with),
    )


def _intent(
    attempt: Attempt, leg: Leg, lease_until: datetime, tries: int, open_until: datetime | None
) -> Intent:
    return Intent(
        attempt.attempt_id,
        attempt.notification_id,
        attempt.lease_token,
        lease_until,
        leg.channel,
        leg.address,
        attempt.text,
        leg.email_subject,
        leg.html,
        leg.sender,
        open_until,
        attempt.send_at,
        tries,
    )


def _pass_gate(book: Writing, claimed: Claim, leg: Leg) -> tuple[str, datetime, list[int]] | None:
    """Move from ``claimed`` to ``sending`` unless something stands against it; key, end of the lease, and
    those that are told with it. Others than its text tells are not to be with it.
    """
    together = groups.hold_claimed(book.session, claimed.notification_id)
    if claimed.tells is not None and together != sorted(claimed.tells):
        return None
    tried = channel_stops.to_be_tried(book, leg)
    if tried is None:
        return None
    passed = _begin_sending(
        book.session,
        claimed.notification_id,
        claimed.lease_token,
        claimed.tenant_id,
        as_kept(leg.address, leg.channel),
        leg.channel,
        book.now,
    ).one_or_none()
    if passed is None:
        return None
    channel_stops.put_off(book, tried)
    told_with = groups.follow(book, claimed.notification_id, S.CLAIMED, actor="send")
    return passed[0], passed[1], told_with


@built_once
def _begin_sending(
    notification_id: int, lease_token: int, tenant_id: str, address: str, channel: str, now: datetime
) -> UpdateBase:
    return (
        update(Notification)
        .where(
            col(Notification.notification_id) == notification_id,
            col(Notification.lease_token) == lease_token,
            leaving({S.CLAIMED}, S.SENDING),
            col(Notification.lease_until) > now,
            ~keeps_from_sending(tenant_id),
            ~is_refused(address, channel),
        )
        .values(state=S.SENDING.value, updated_at=now)
        .returning(col(Notification.key), col(Notification.lease_until))
    )


@dataclass(frozen=True, slots=True)
class Reaped:
    """What lapsed leases came to: harmless claims that returned, and sends whose outcome nobody knows."""

    returned: int
    unknown: int


def reap(book: Writing, first_look: timedelta) -> Reaped:
    """End the leases of the dead. A claim returns; a send becomes unknown, never "try again"."""
    lapsed = _lapsed(book.session, book.now).all()
    sending = [row for row in lapsed if row.state == S.SENDING.value]
    for row in lapsed:
        if row.state == S.CLAIMED.value:
            _return_claim(book, row)
        else:
            _lose_sight(book, row, first_look)
    if lapsed:
        fail_point("before-reaping-commits")
    return Reaped(len(lapsed) - len(sending), len(sending))


@built_once
def _lapsed(now: datetime) -> SelectOfScalar[Notification]:
    wanted = select(Notification).where(
        col(Notification.state).in_([S.CLAIMED.value, S.SENDING.value]),
        col(Notification.lease_until) < now,
        col(Notification.lead_id).is_(None),
    )
    return wanted.with_for_update(skip_locked=True).execution_options(populate_existing=True)


def _return_claim(book: Writing, row: Notification) -> None:
    step(row, S.PLANNED)
    row.reason = "claim_lapsed"
    row.lease_token += 1
    row.lease_until = None
    row.not_before = row.dispatch_at = row.updated_at = book.now
    book.audit(Entry("reaper", "claim lapsed", "notification", row.key, row.tenant_id, row.flow_run_id))
    groups.follow(book, row.notification_id or 0, S.CLAIMED, actor="reaper")


def _lose_sight(book: Writing, row: Notification, first_look: timedelta) -> None:
    attempt = book.session.exec(
        select(Attempt).where(
            Attempt.notification_id == row.notification_id, Attempt.lease_token == row.lease_token
        )
    ).one()
    conclude(
        book,
        attempt.attempt_id,
        Conclusion(
            AttemptState.UNKNOWN,
            S.UNKNOWN,
            reason="lease_lapsed",
            cause="the sender stopped before it knew the outcome",
            settled_by="reaper",
            settle_at=book.now + first_look,
        ),
    )
