"""A verdict, written into the notification that it is about."""

from datetime import datetime, timedelta

from duebell.audit import Entry
from duebell.ledger.dispatch import RUN_CANCELLED
from duebell.ledger.moving import step
from duebell.ledger.tables import Notification
from duebell.policy.verdict import Hold, Reason, Send, Skip, Verdict
from duebell.states import NotificationState

S = NotificationState

GATHERED = timedelta(minutes=90)
"""By then the hourly sweep has been there."""

RUN_GRACE = timedelta(seconds=10)
"""How long a planned notification waits for the run that the drain starts, before the net makes one."""

RESTS = (
    "next_channel:", "tried_again_later", "tried_too_often", "twilio:", "sendgrid:", "channel_stopped:"
)  # fmt: skip
"""How the reasons begin of what waits because of what came of its last attempt."""

READ_TOO_OLD = "read_too_old"
"""How the reason begins of what waits because it could not be read anew. News of it may hurry that."""


def apply(row: Notification, verdict: Verdict, now: datetime) -> None:
    """Have the row wait, or be left out, as the verdict says; news does not hurry what rests longer.

    What is left out again for the same reason has been so since the first time: by ``updated_at`` the teams
    are told of it, once the day is over.
    """
    if _rests_longer(row, verdict, now) or _is_left_out(row, verdict):
        return
    row.updated_at = now
    match verdict:
        case Send():
            step(row, S.PLANNED)
            row.reason = ""
            row.not_before, row.dispatch_at = now, now + RUN_GRACE
        case Hold(reason=reason, not_before=not_before):
            step(row, S.HELD)
            row.reason = reason.value
            # What is for a team's daily message is for the sweep to gather; the net comes where none did.
            gathered = GATHERED if not_before and reason is Reason.DIGEST else timedelta()
            row.not_before, row.dispatch_at = not_before, not_before and not_before + gathered
        case Skip():
            step(row, S.SKIPPED)
            row.reason = _reason_of(verdict)
            row.not_before, row.dispatch_at = None, None


def _is_left_out(row: Notification, verdict: Verdict) -> bool:
    return isinstance(verdict, Skip) and (row.state, row.reason) == (S.SKIPPED.value, _reason_of(verdict))


def _reason_of(verdict: Skip) -> str:
    return f"{verdict.reason.value}:{verdict.detail}" if verdict.detail else verdict.reason.value


def is_for_a_person(row: Notification, verdict: Verdict) -> bool:
    """Whether its run was cancelled, maybe while this was decided: it waits for a person while it is true."""
    return (row.state, row.reason) == (S.HELD, RUN_CANCELLED) and not isinstance(verdict, Skip)


def _rests_longer(row: Notification, verdict: Verdict, now: datetime) -> bool:
    """Whether what came of the last attempt holds it longer than the verdict does."""
    until = row.not_before
    if isinstance(verdict, Skip) or until is None or not row.reason.startswith(RESTS):
        return False
    opens = now if isinstance(verdict, Send) else verdict.not_before
    return opens is not None and opens < until


def entry(row: Notification, actor: str, verdict: Verdict) -> Entry:
    """What the trail says of it."""
    return Entry(
        actor=actor,
        action=f"notification {row.state}",
        subject_type="notification",
        subject_id=row.key,
        tenant_id=row.tenant_id,
        flow_run_id=row.flow_run_id,
        details={"reason": row.reason, "verdict": type(verdict).__name__.lower(), "by": row.forced_by},
    )
