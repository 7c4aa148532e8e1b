"""What is known of an attempt, from whatever source."""

from dataclasses import dataclass
from datetime import datetime

from duebell.states import AttemptState, NotificationState
from duebell.twilio.codes import Stops

NO_EVIDENCE = "no_evidence"
"""The reason of what was looked for until the end, and of which nobody can tell whether it went out."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What is now known of an attempt, and what follows for its notification.

    ``falls_back``: it failed for a reason of its channel, so that another may take the message. ``stops``:
    it failed for a fault of ours, for which others would fail too.
    """

    attempt: AttemptState
    notification: NotificationState
    reason: str = ""
    sid: str | None = None
    provider_status: str = ""
    http_status: int | None = None
    error_code: int | None = None
    cause: str = ""
    answer: str = ""
    settled_by: str = "answer"
    not_before: datetime | None = None
    settle_at: datetime | None = None
    falls_back: bool = False
    stops: Stops = Stops.NOTHING
