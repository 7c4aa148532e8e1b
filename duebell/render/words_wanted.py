"""Which templates in which languages a policy can ask for."""

from collections.abc import Iterator
from dataclasses import dataclass

from duebell.keys import INVOICE_OVERDUE, NEEDS_ATTENTION
from duebell.policy.reaching import EMAIL, SMS
from duebell.policy.teams import ways_of_team
from duebell.policy_file.policy import Policy
from duebell.policy_file.rules import Rule
from duebell.policy_file.sections import Digest, MessagePolicy
from duebell.policy_file.shapes import Kind
from duebell.render.template_folders import team_template
from duebell.render.wording_shapes import DIGEST


@dataclass(frozen=True, slots=True)
class Wanted:
    """A template (``<kind>`` or ``<kind>/<variant>``) in a language, for a channel."""

    template: str
    language: str
    default: str
    channel: str


def wanted_of(policy: Policy) -> tuple[Wanted, ...]:
    """Everything that the policy can ask for, of every organisation's own lines too, each once."""
    every = (one for own in (policy, *policy.tenants.values()) for one in _of(own))
    return tuple(dict.fromkeys(every))


def _of(policy: Policy) -> Iterator[Wanted]:
    default = policy.language.default
    languages = [default, *policy.language.by_country.values()]
    for kind in Kind:
        section: MessagePolicy = getattr(policy, kind)
        rules = [one for one in policy.rules if one.when.kind is None or kind in one.when.kind]
        if section.enabled:
            for language in languages:
                for channel in section.channels:
                    yield Wanted(kind, language, default, channel)
            for rule in rules:
                yield from _of_rule(rule, kind, section, languages)
    yield from _of_teams(policy)


def _of_rule(rule: Rule, kind: Kind, section: MessagePolicy, languages: list[str]) -> Iterator[Wanted]:
    then = rule.then
    if then.silence:
        return
    template = f"{kind}/{then.template}" if then.template else str(kind)
    for language in [then.language] if then.language else languages:
        for channel in then.channels or section.channels:
            yield Wanted(template, language, languages[0], channel)


def _of_teams(policy: Policy) -> Iterator[Wanted]:
    default = policy.language.default
    for name, team in policy.team.items():
        channels = {way.channel for way in ways_of_team(name, team).values()}
        told = _told_to(name, policy)
        templates = [*told, DIGEST] if team.digest is Digest.DAILY and len(told) > 1 else told
        for channel in [one for one in (SMS, EMAIL) if one in channels]:
            for kind in templates:
                yield Wanted(team_template(kind), team.language or default, default, channel)


def _told_to(name: str, policy: Policy) -> list[str]:
    """The kinds of news that a team hears of."""
    told = [kind for kind, news in policy.news.items() if news.enabled and name in news.teams]
    overdue = policy.invoice_overdue
    if overdue.enabled and any(name in stage.teams for stage in overdue.stages):
        told.append(INVOICE_OVERDUE)
    return [*told, NEEDS_ATTENTION] if policy.team[name].hears else told
