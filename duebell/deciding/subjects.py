"""What a notification is about, and the case that its rule decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from duebell.deciding.known import Known
from duebell.email.addresses import are_one
from duebell.keys import address_hash
from duebell.ledger.told_at_address import Told
from duebell.model import Contact
from duebell.policy.reaching import refusals_of
from duebell.policy.rules import Route
from duebell.policy.teams import way_of
from duebell.policy.verdict import Circumstances
from duebell.policy_file.policy import Policy
from duebell.policy_file.sections import TeamPolicy


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
    """What went out of the same news: for others at the customer by email, or to teams under other keys."""
    news = (subject.kind, subject.subject_id, subject.step)
    same = (one for one in known.told if (one.kind, one.subject_id, one.step) == news)
    if subject.team:
        return tuple(one for one in same if one.team and one.team != subject.team)
    return tuple(one for one in same if not one.team and one.person != subject.person)


def refusals_for(subject: Subject, known: Known, policy: Policy) -> Mapping[str, str]:
    """Where whom it is for must not be written to. The STOP from a customer's number speaks for nobody else
    there, and for no team.
    """
    ends_email = policy.preferences.stop_ends_email and not (subject.team or subject.person)
    return refusals_of(known.contact, known.tenant.country, known.refusals, stop_ends_email=ends_email)


def is_told_at_email(contact: Contact | None, subject: Subject, known: Known) -> bool:
    """Whether somebody else at the customer was told of it at the email address that this one has now.

    An address may pass from a person to the contact itself, and the other way round.
    """
    told = {one.address for one in others_told(subject, known)}
    return contact is not None and address_hash(contact.email) in told


def is_told_to_team(subject: Subject, known: Known, teams: Mapping[str, TeamPolicy]) -> bool:
    """Whether a team was told of it at the address that this one has now, under a key that led there then.

    A further address becomes its team's first where the one before it is taken out, or its team has another
    name. Two teams that share an address hear each for itself.
    """
    way = way_of(subject.team, teams)
    if way is None:
        return False
    there = [one for one in others_told(subject, known) if one.address == address_hash(way.address)]
    return any(not _leads_to(one.team, way.address, teams) for one in there)


def _leads_to(recipient: str, address: str, teams: Mapping[str, TeamPolicy]) -> bool:
    way = way_of(recipient, teams)
    return way is not None and are_one(way.address, address)


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
