"""What a notification is about, and the case that its rule decides."""

from dataclasses import dataclass
from datetime import datetime

from duebell.known import Known
from duebell.policy import Circumstances
from duebell.rules import Route


@dataclass(frozen=True, slots=True)
class Subject:
    """What a notification is about and whom it is for.

    ``subject_id`` is the invoice's id, or that of a payment of it; ``step`` is a stage of the ladder with its
    due date, or what needs attention with what tells it from the next; ``team`` is empty for the customer,
    else the key's recipient, such as ``team:accounts``; ``person`` is the hash that stands in the key for a
    further person at the customer.
    """

    kind: str
    subject_id: str
    step: str = ""
    team: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One notification to decide on. ``own`` are the ids under which what went out of it stands."""

    subject: Subject
    known: Known
    about: Circumstances
    route: Route
    own: frozenset[int | None] = frozenset()

    def heard_at(self, address: str) -> tuple[datetime, ...]:
        """When the teams were told anything else at this address."""
        earlier = (one for one in self.known.reminders if one.notification_id not in self.own)
        return tuple(one.at for one in earlier if not one.contact_id and one.address == address)
