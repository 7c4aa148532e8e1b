"""Names in the policy: that nobody has, that nobody uses, and rules that nothing in the books meets."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from babel import Locale
from phonenumbers import SUPPORTED_REGIONS

from duebell.countries import region_of
from duebell.lint.books import Vocabulary
from duebell.lint.findings import Remark, hint, mend
from duebell.policy.rules import Facts, decide_route
from duebell.policy.teams import ways_of_team
from duebell.policy_file.policy import Policy
from duebell.policy_file.rules import RuleWhen
from duebell.policy_file.toml_lines import Place
from duebell.setting_shapes import did_you_mean

AS_SHIPPED = "No reminders"
"""The group of ``never_groups`` that nobody needs to have."""

IN_NO_BOOKS = "is a contact group that no contact in the books has"


@dataclass(slots=True)
class Met:
    """How often each rule of a policy, counted from 1, decided about a message of the books, or would."""

    facts: int = 0
    decided: dict[int, int] = field(default_factory=dict[int, int])
    matched: set[int] = field(default_factory=set[int])

    def count(self, facts: Facts, policy: Policy) -> None:
        """Ask the rules about one message."""
        self.facts += 1
        place = decide_route(facts, policy.rules).place
        self.decided[place] = self.decided.get(place, 0) + 1
        for number, rule in enumerate(policy.rules, start=1):
            if number not in self.matched and decide_route(facts, [rule]).place:
                self.matched.add(number)


def of_teams(policy: Policy, lines: Collection[Place], prefix: Place = ()) -> Iterator[Remark]:
    """Teams that something is to tell and that have nobody, and teams that hear of nothing."""
    named = {name for _, told in _tellings(policy, even_off=True) for name in told}
    for place, told in _tellings(policy):
        for name in told:
            if name in policy.team and not ways_of_team(name, policy.team[name]):
                words = f"names the team {name!r}, which hears nothing. Give [team.{name}] phones or emails"
                yield hint(place, words)
    for name, team in policy.team.items():
        if name in named or (*prefix, "team", name) not in lines:
            continue
        if not ways_of_team(name, team):
            yield hint(("team", name), "is told nothing. Give it phones or emails")
        elif not team.hears:
            words = f'is told nothing. Name it where something is told: tell = [..., "team:{name}"]'
            yield hint(("team", name), words)


def _tellings(policy: Policy, *, even_off: bool = False) -> Iterator[tuple[Place, tuple[str, ...]]]:
    """Each place that says who is told, and the teams in it."""
    for kind, rules in policy.news.items():
        if rules.enabled or even_off:
            yield (kind, "tell"), rules.teams
    overdue = policy.invoice_overdue
    for number, stage in enumerate(overdue.stages if overdue.enabled or even_off else ()):
        yield ("invoice_overdue", "stage", number, "tell"), stage.teams


def of_rules(policy: Policy, met: Met) -> Iterator[Remark]:
    """Rules that decide about nothing in the books."""
    for number in range(1, len(policy.rules) + 1) if met.facts else ():
        if number not in met.matched:
            yield hint(("rule", number - 1), "matches nothing in the books. Look at its conditions")
        elif not met.decided.get(number):
            words = "decides nothing in the books: rules before it match first. Move it up, or remove it"
            yield hint(("rule", number - 1), words)


def of_words(policy: Policy, known: Vocabulary) -> Iterator[Remark]:
    """Words of Xero's that nothing in the books has: groups, tracking, themes, currencies."""
    for number, group in enumerate(policy.invoice_overdue.never_groups):
        near = did_you_mean(group, known.groups)
        if not _is_among(group, known.groups) and (group != AS_SHIPPED or near.startswith("Did")):
            place = ("invoice_overdue", "never_groups", number)
            yield hint(place, f"{IN_NO_BOOKS}. {near}")
    for number, rule in enumerate(policy.rules):
        for name, words in _of_conditions(rule.when, known):
            yield hint(("rule", number, "when", name), words)


def of_consent(policy: Policy, known: Vocabulary) -> Iterator[Remark]:
    """Groups of those who want no message that no contact has: mistyped, they go on being messaged.

    A group may have nobody yet, so it is a slip only where another has nearly its name, of which the policy
    says nothing.
    """
    named = {*policy.preferences.no_messages_groups, *policy.invoice_overdue.never_groups}
    unnamed = [one for one in known.groups if not _is_among(one, named)]
    for number, group in enumerate(policy.preferences.no_messages_groups):
        if _is_among(group, known.groups):
            continue
        place, near = ("preferences", "no_messages_groups", number), did_you_mean(group, unnamed)
        if near.startswith("Did"):
            yield mend(place, f"{IN_NO_BOOKS}. {near}")
        else:
            yield hint(place, f"{IN_NO_BOOKS}. It spares nobody: is it written as in Xero?")


def _of_conditions(when: RuleWhen, known: Vocabulary) -> Iterator[tuple[str, str]]:
    lists: Mapping[str, tuple[tuple[str, ...] | None, Collection[str], str]] = {
        "contact_group": (when.contact_group, known.groups, "is a contact group that no contact has"),
        "branding_theme": (when.branding_theme, known.themes, "is a branding theme that no invoice has"),
        "currency": (when.currency, known.currencies, "is a currency that no invoice is in"),
    }
    for name, (wanted, there, words) in lists.items():
        for one in wanted or ():
            if not _is_among(one, there):
                yield name, f"{one!r} {words} in the books. {did_you_mean(one, there)}"
    if when.tracking is not None and known.currencies:
        options = {f"{category} / {option}".casefold() for category, option in known.tracking}
        wanted = f"{when.tracking.category} / {when.tracking.option}".casefold()
        if wanted not in options:
            yield "tracking", f"is on no line of an invoice in the books. {did_you_mean(wanted, options)}"


def of_currencies(policy: Policy) -> Iterator[Remark]:
    """Codes that are no currency at all."""
    real = cast("Mapping[str, str]", Locale("en").currencies)
    amounts = {(kind, "team_from"): rules.team_from for kind, rules in policy.news.items()}
    for place, least in {**amounts, ("invoice_overdue", "minimum"): policy.invoice_overdue.minimum}.items():
        for code in least:
            if code not in real:
                yield hint((*place, code), f"is no currency. {did_you_mean(code, real)}")


def of_countries(policy: Policy) -> Iterator[Remark]:
    """Codes that are no country at all."""
    for country in policy.language.by_country:
        if country not in SUPPORTED_REGIONS:
            yield hint(("language", "by_country", country), _no_country(country))
    for number, rule in enumerate(policy.rules):
        for country in rule.when.country or ():
            if country not in SUPPORTED_REGIONS:
                yield hint(("rule", number, "when", "country"), f"{country!r} {_no_country(country)}")


def _no_country(code: str) -> str:
    right = region_of(code)
    return f"is no country's code. {f'Write {right}' if right else 'Remove it'}"


def _is_among(word: str, there: Collection[str]) -> bool:
    return word.strip().casefold() in {one.strip().casefold() for one in there}
