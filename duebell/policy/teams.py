"""The numbers and addresses of a team of the business itself, each under the recipient of its own key."""

import hashlib
from collections.abc import Mapping

from duebell.email.addresses import folded
from duebell.keys import is_contact, team_recipient
from duebell.policy.reaching import EMAIL, SMS, Way
from duebell.policy_file.sections import Digest, TeamPolicy

OF_HASH = 10
"""Digits of the hash by which a further address of a team is known: enough to tell a team's few apart."""


def ways_of_team(name: str, team: TeamPolicy) -> dict[str, Way]:
    """Every address of a team, by the recipient of its key: the first is the team's, the others its further.

    A team's address is no channel to fall back to: who is listed is told, once in whatever spellings.
    """
    ways = [*(Way(SMS, one) for one in team.phones), *(Way(EMAIL, one) for one in team.emails)]
    first, alone = team_recipient(name), dict[str, Way]()
    for way in ways:
        alone.setdefault(folded(way.address), way)
    return {
        first if place == 0 else f"{first}/{_hash(way.address)}": way
        for place, way in enumerate(alone.values())
    }


def has_somebody(teams: Mapping[str, TeamPolicy]) -> bool:
    """Whether any team has a number or an address."""
    return any(team.phones or team.emails for team in teams.values())


def daily_recipients(teams: Mapping[str, TeamPolicy]) -> tuple[str, ...]:
    """The recipients that are told all of a day in one message."""
    return tuple(
        recipient
        for name, team in teams.items()
        if team.digest is Digest.DAILY
        for recipient in ways_of_team(name, team)
    )


def team_of(recipient: str) -> str:
    """The team's name in a recipient; empty for a customer's."""
    return "" if is_contact(recipient) else recipient.removeprefix(team_recipient("")).partition("/")[0]


def way_of(recipient: str, teams: Mapping[str, TeamPolicy]) -> Way | None:
    """Where this recipient is told now; nothing where the policy has the team, or its address, no more."""
    name = team_of(recipient)
    return ways_of_team(name, teams[name]).get(recipient) if name in teams else None


def _hash(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:OF_HASH]
