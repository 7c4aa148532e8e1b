"""A piece of news for a team of the business: whether this one of its numbers or addresses hears of it."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from duebell.deciding.subjects import Case
from duebell.policy.team_verdicts import to_team
from duebell.policy.teams import team_of, way_of
from duebell.policy.verdict import Reason, Skip, Verdict
from duebell.policy_file.sections import KindPolicy, TeamPolicy


def tell_team(case: Case, hears: Callable[[str, TeamPolicy], bool], happened_at: datetime | None) -> Verdict:
    """The verdict on what is true; ``hears`` says of a team, by its name, whether it wants to know."""
    policy, recipient = case.about.policy, case.subject.team
    name = team_of(recipient)
    way, team = way_of(recipient, policy.team), policy.team.get(name)
    if way is None or team is None or not hears(name, team):
        return Skip(Reason.NOT_TOLD_OF_STAGE)
    if case.about.channels is not None and way.channel not in case.about.channels:
        return Skip(Reason.NO_WAY)
    if case.about.address_told:
        return Skip(Reason.ADDRESS_TOLD)
    return to_team(way, team, case.about, case.heard_at(way.address), happened_at)


def tell_team_of_news(case: Case, rules: KindPolicy, untrue: Reason, amount: Decimal | None) -> Verdict:
    """Whether a team hears of an invoice that was issued or a payment that arrived."""
    if untrue is not Reason.NONE:
        return Skip(untrue)
    least = rules.team_from.get(case.known.read.invoice.currency, Decimal(0))
    if (amount or Decimal(0)) < least:
        return Skip(Reason.BELOW_TEAM_FROM)
    return tell_team(case, lambda name, _team: name in rules.teams, case.about.seen_at)
