"""What a notification is about, and the case that its rule decides."""

from dataclasses import dataclass

from duebell.known import Known
from duebell.policy import Circumstances
from duebell.rules import Route


@dataclass(frozen=True, slots=True)
class Subject:
    """What a notification is about and whom it is for.

    ``subject_id`` is the invoice's id, or that of a payment of it; ``step`` is a stage of the ladder with its
    due date; ``team`` is empty for the customer, else the key's recipient, such as ``team:accounts``;
    ``person`` is the hash that stands in the key for a further person at the customer.
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
