"""What a notification is about, and the case that its rule decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from duebell.email.addresses import are_one
from duebell.keys import address_hash
from duebell.known import Known
from duebell.ledger.told_by_email import Told
from duebell.model import Contact
from duebell.policy import Circumstances
from duebell.policy_sections import TeamPolicy
from duebell.rules import Route
from duebell.teams import team_of, way_of


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


def others_told(subject: Subject, known: Known) -> tuple[Told, ...]:
    """What went out of the same news, for others at the customer by email, or for others of the team."""
    news = (subject.kind, subject.subject_id, subject.step)
    same = [one for one in known.told if (one.kind, one.subject_id, one.step) == news]
    if subject.team:
        name = team_of(subject.team)
        return tuple(one for one in same if one.team != subject.team and team_of(one.team) == name)
    return tuple(one for one in same if not one.team and one.person != subject.person)


def address_of(subject: Subject, contact: Contact | None, teams: Mapping[str, TeamPolicy]) -> str:
    """Where this one may have been told for somebody else: a team's address, or a customer's for email."""
    if subject.team:
        way = way_of(subject.team, teams)
        return way.address if way else ""
    return contact.email if contact else ""


def is_told_at(address: str, subject: Subject, known: Known) -> bool:
    """Whether somebody else at the customer, or of the team, was told of it at the address of this one now.

    An address may pass from a person to the contact itself, and the other way round; in a team it becomes the
    first where the one before it is taken out.
    """
    return address_hash(address) in {one.address for one in others_told(subject, known)}


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
        return tuple(one.at for one in earlier if not one.contact_id and are_one(one.address, address))
