"""The life of a notification: which state may follow which, and why the odd ones may.

planned ─▶ held ─▶ claimed ─▶ sending ─▶ accepted ─▶ sent ─▶ delivered
   ▲                            │  │         │  └──────────▶ undelivered | failed
   │                            │  └─▶ scheduled ─▶ accepted …
   └──── cancelled or expired ──│──────────┴─┘
                                ├─▶ given_up   refused for good
                                └─▶ unknown ─▶ accepted … | parked
"""

from enum import StrEnum


class NotificationState(StrEnum):
    """Where a notification stands."""

    PLANNED = "planned"
    HELD = "held"
    SKIPPED = "skipped"
    CLAIMED = "claimed"
    SENDING = "sending"
    SCHEDULED = "scheduled"
    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    GIVEN_UP = "given_up"
    UNKNOWN = "unknown"
    PARKED = "parked"


class Sending(StrEnum):
    """What a tenant may send: nothing, to its allow-list only, or to everybody."""

    REVIEW = "review"
    ALLOWLIST = "allowlist"
    LIVE = "live"


class TenantState(StrEnum):
    """Whether an organisation can be read: one whose consent Xero refused rests until somebody consents."""

    CONNECTED = "connected"
    REFUSED = "refused"
    DISCONNECTED = "disconnected"


class EventState(StrEnum):
    """Where an event of Xero's stands; one is ignored that is of no organisation or kind of ours."""

    PENDING = "pending"
    HANDLED = "handled"
    IGNORED = "ignored"


def lower(ceiling: Sending, own: Sending) -> Sending:
    """The more careful of the operator's ceiling and the tenant's own state."""
    order = list(Sending)
    return min(ceiling, own, key=order.index)


class AttemptState(StrEnum):
    """What is known of one call to the provider.

    Cancelled and expired ones were accepted and have a SID, and reached nobody: Twilio took a scheduled
    message back because we asked, or gave one up in its own queue.
    """

    SENDING = "sending"
    ACCEPTED = "accepted"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REFUSED = "refused"
    NOT_PROCESSED = "not_processed"
    UNKNOWN = "unknown"
    PARKED = "parked"


S = NotificationState

_FROM_PROVIDER = frozenset({S.SCHEDULED, S.ACCEPTED, S.SENT, S.DELIVERED, S.UNDELIVERED, S.FAILED})

_TAKEN_BACK = frozenset({S.PLANNED, S.UNKNOWN, S.PARKED})

TRANSITIONS: dict[NotificationState, frozenset[NotificationState]] = {
    # From the provider: a receipt proves that an attempt which was taken for not processed did arrive.
    # To unknown, from here and from all that was not posted: the ledger was set back, and the side journal
    # knows that it was posted in the time that is missing.
    S.PLANNED: frozenset({S.HELD, S.CLAIMED, S.SKIPPED, S.UNKNOWN}) | _FROM_PROVIDER,
    S.HELD: frozenset({S.PLANNED, S.CLAIMED, S.SKIPPED, S.UNKNOWN}) | _FROM_PROVIDER,
    # Back to planned or held: the lease lapsed before anything was posted, the brake was on, or a
    # template could not be rendered. Skipped: the second look found that it is no longer true.
    S.CLAIMED: frozenset({S.PLANNED, S.HELD, S.SKIPPED, S.SENDING, S.UNKNOWN}) | _FROM_PROVIDER,
    # Back to planned only where the provider provably processed nothing (connect failure, 429) or
    # refused in a way that a later attempt may cure. Never because time has passed.
    S.SENDING: frozenset({S.PLANNED, S.HELD, S.GIVEN_UP, S.UNKNOWN}) | _FROM_PROVIDER,
    # A callback or the provider's list can still tell; time alone only parks. Back to waiting only where
    # the sender itself, given up for dead, comes back with proof that nothing was processed.
    S.UNKNOWN: frozenset({S.PARKED, S.GIVEN_UP, S.PLANNED, S.HELD}) | _FROM_PROVIDER,
    # A receipt may come after a person was asked: it is proof all the same.
    S.PARKED: _FROM_PROVIDER,
    # The odd ones are taken back: cancelled in time, or expired in Twilio's own queue (30036). Both are proof
    # that the message reached nobody, so it is decided anew, or the attempt that is left speaks. Or a person
    # decides, for Twilio does not know after its time what it held.
    S.SCHEDULED: frozenset({S.ACCEPTED, S.SENT, S.DELIVERED, S.UNDELIVERED, S.FAILED}) | _TAKEN_BACK,
    S.ACCEPTED: frozenset({S.SENT, S.DELIVERED, S.UNDELIVERED, S.FAILED}) | _TAKEN_BACK,
    S.SENT: frozenset({S.DELIVERED, S.UNDELIVERED, S.FAILED}),
    S.DELIVERED: frozenset(),
    # Callbacks come in any order; the better evidence that somebody was told wins, because the worse one
    # would have them told again.
    S.UNDELIVERED: frozenset({S.DELIVERED}),
    S.FAILED: frozenset({S.UNDELIVERED, S.DELIVERED}),
    S.GIVEN_UP: frozenset({S.UNKNOWN}) | _FROM_PROVIDER,
    # A person may run the flow again after the cause has gone (a number was added, a hold lifted).
    S.SKIPPED: frozenset({S.PLANNED, S.HELD, S.UNKNOWN}) | _FROM_PROVIDER,
}

NEXT_LEG_FROM = frozenset(
    {S.PLANNED, S.HELD, S.CLAIMED, S.SENDING, S.UNKNOWN, S.SCHEDULED, S.ACCEPTED, S.SENT}
)
"""States from which a leg that failed is followed by the next: the only way back from what was taken. What
waits is among them, because what its provider refused may have been taken all the same, and come back.

A message that a person was asked about (parked) is theirs to decide; what was delivered is told.
"""

STANDS_APART = {S.SENDING, S.UNKNOWN, S.PARKED} | _FROM_PROVIDER
"""States from which what is told in another's message may go back to where a message of its own stands: that
other, which was proven late, did not tell it. The only way back from what was delivered: to it, nothing was.
"""

NOT_REACHED = frozenset({S.UNDELIVERED, S.FAILED})
"""The provider had the message, and says that it did not arrive: it came back."""

TOLD = frozenset({S.ACCEPTED, S.SENT, S.DELIVERED})
"""The provider has taken the message: the person is told, or about to be."""

WITHDRAWN = frozenset({AttemptState.CANCELLED, AttemptState.EXPIRED})
"""What is known of attempts whose message the provider had, and that reached nobody."""

OPEN = frozenset({AttemptState.SENDING, AttemptState.UNKNOWN, AttemptState.PARKED})
"""Attempts of which it is not known whether the provider has a message."""

MAY_EXIST = OPEN | {AttemptState.ACCEPTED}
"""Attempts whose message exists, or may."""

MAY_HAVE_BEEN_SENT = frozenset({S.SENDING, S.UNKNOWN, S.PARKED}) | _FROM_PROVIDER
"""States after which no flow may post this notification again by itself."""

WAITING = frozenset({S.PLANNED, S.HELD})
"""States from which a notification can be claimed once its time has come."""


ONLY_ON_PAPER: frozenset[tuple[NotificationState, NotificationState]] = frozenset(
    # Twilio calls nobody back about a message that it begins to hold, and its list is asked about unknown
    # ones alone. A receipt with that word would be proof all the same.
    {(one, S.SCHEDULED) for one in (S.PLANNED, S.HELD, S.CLAIMED, S.SKIPPED, S.GIVEN_UP, S.PARKED)}
    # Taken back while nobody knows of another attempt: none is begun beside one whose outcome is open. Were
    # there one, it would have to be waited for. (A ledger that was set back leaves a parked one behind.)
    | {(S.ACCEPTED, S.UNKNOWN), (S.SCHEDULED, S.UNKNOWN)}
    # A run decides anew on what is held before it claims it, and what may go is planned then.
    | {(S.HELD, S.CLAIMED)}
)
"""Steps of the table to which no way is known. They stay, because to refuse one would be to refuse proof, or
to leave somebody waiting; whoever finds a way takes it out of here.
"""


def may_follow(current: NotificationState, following: NotificationState) -> bool:
    """Whether the step is in the table."""
    return following in TRANSITIONS[current]


def may_stand_apart(current: NotificationState, following: NotificationState) -> bool:
    """Whether one that followed its lead may go back to where its own message stands."""
    return current in STANDS_APART and following in _FROM_PROVIDER | {S.UNKNOWN}
