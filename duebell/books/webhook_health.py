"""Whether Xero's webhooks look broken: decided from what polling found and what webhooks brought.

Xero switches a webhook off after a day of failures and says so by email only
(developer.xero.com/documentation/guides/webhooks/overview), so it is noticed here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from duebell.books.polling_compare import is_told

GAP_PATIENCE, GAP_MATTERS = timedelta(minutes=20), timedelta(hours=24)
"""A missing number is due within Xero's first retry, after 15 minutes; after a day Xero itself gives up."""

CHANGE_PATIENCE = timedelta(minutes=10)
"""By then a webhook has told of a change; users speak of two or three minutes."""

NEVER_AFTER = timedelta(hours=24)


class Why(StrEnum):
    """What speaks against the webhooks."""

    GAP = "gap"
    SILENT = "silent"
    NEVER_CAME = "never_came"


@dataclass(frozen=True, slots=True)
class FoundChange:
    """A change that a poll, begun at ``found_at``, found in a list that webhooks tell the changes of."""

    category: str
    resource_id: str
    changed_at: datetime
    found_at: datetime


@dataclass(frozen=True, slots=True)
class Brought:
    """What a webhook told of, with Xero's time of it."""

    category: str
    resource_id: str
    event_time: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """A tenant's webhooks as the ledger knows them. ``gaps`` are when the open gaps were noticed."""

    webhook_at: datetime | None
    synced_at: datetime | None
    suspect_at: datetime | None
    gaps: tuple[datetime, ...] = ()
    found: tuple[FoundChange, ...] = ()
    brought: tuple[Brought, ...] = ()


class Turn(StrEnum):
    """What follows for the tenant."""

    NONE = "none"
    SUSPECT = "suspect"
    CLEAR = "clear"


def turn(facts: Facts, now: datetime) -> tuple[Turn, Why | None]:
    """Whether an episode begins or ends now. One that goes on is nothing new."""
    why = why_broken(facts, now)
    if facts.suspect_at is None:
        return (Turn.SUSPECT, why) if why else (Turn.NONE, None)
    came_since = facts.webhook_at is not None and facts.webhook_at > facts.suspect_at
    # An idle day is no sign of health: only a webhook that comes is.
    return (Turn.CLEAR, None) if why is None and came_since else (Turn.NONE, why)


def why_broken(facts: Facts, now: datetime) -> Why | None:
    """What speaks against the webhooks, if anything does."""
    missed = missed_by_webhooks(facts.found, facts.brought, now)
    if facts.webhook_at is None:
        # Some never have any: a custom connection, or an address that was never entered in Xero's portal.
        watched = facts.synced_at is not None and now - facts.synced_at >= NEVER_AFTER
        return Why.NEVER_CAME if watched and missed else None
    since = facts.webhook_at
    if len({one.found_at for one in missed if one.found_at > since}) >= 2:
        return Why.SILENT
    if any(GAP_PATIENCE < now - noticed < GAP_MATTERS for noticed in facts.gaps):
        return Why.GAP
    return None


def missed_by_webhooks(
    found: Sequence[FoundChange], brought: Sequence[Brought], now: datetime
) -> tuple[FoundChange, ...]:
    """The changes that polling found, of which no webhook has told though it had the time to."""
    latest: dict[tuple[str, str], datetime] = {}
    for one in brought:
        key = (one.category, one.resource_id)
        latest[key] = max(latest.get(key, one.event_time), one.event_time)
    return tuple(
        one
        for one in found
        if now - one.changed_at >= CHANGE_PATIENCE
        and not is_told(latest.get((one.category, one.resource_id)), one.changed_at)
    )


SAID = {
    Why.GAP: "Xero numbers its webhook events, and some numbers have not come for more than 20 minutes.",
    Why.SILENT: "Two polls or more have found changes of which no webhook told.",
    Why.NEVER_CAME: "No webhook has ever come, though polling found changes.",
}

MENDS = {
    Why.GAP: "Look at the webhook at developer.xero.com/app/manage: its page tells of failed deliveries.",
    Why.SILENT: (
        "Look at the webhook at developer.xero.com/app/manage: see that invoices and contacts are ticked "
        "there. Xero switches it off after a day of failed deliveries: see that the receiver can be reached "
        "from outside, then switch it on again and let Xero send its intent to receive. What was missed, "
        "Xero sends again for 31 days."
    ),
    Why.NEVER_CAME: (
        "Enter the receiver's address at developer.xero.com/app/manage, under Webhooks, and let Xero send "
        "its intent to receive. A custom connection may have no webhooks at all: then this is as it must "
        "be, and polling alone brings the changes, a little later."
    ),
}
