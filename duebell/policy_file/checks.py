"""What is sound line by line and yet cannot be meant: lines of the policy that contradict each other."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from duebell.policy_file.overdue import InvoiceOverduePolicy
from duebell.policy_file.rules import Rule, RuleWhen
from duebell.policy_file.sections import KindPolicy, TeamPolicy
from duebell.policy_file.shapes import Channel, Kind
from duebell.policy_file.slips import Slip
from duebell.policy_file.toml_lines import Place
from duebell.sender_shapes import NO_NAMES, SenderKind, kind_of
from duebell.setting_shapes import did_you_mean


def contradictions(
    kinds: Mapping[str, KindPolicy],
    overdue: InvoiceOverduePolicy,
    teams: Mapping[str, TeamPolicy],
    rules: Sequence[Rule],
    stages: Collection[str],
) -> Iterator[Slip]:
    """Every contradiction within one policy; ``kinds`` are its sections of news, by their names.

    ``stages`` are those that its rules can meet, in whichever ladder.
    """
    yield from _of_stages(overdue)
    for name, kind in kinds.items():
        yield from _of_tell((name, "tell"), kind.teams, teams)
    for number, stage in enumerate(overdue.stages):
        yield from _of_tell(("invoice_overdue", "stage", number, "tell"), stage.teams, teams)
    for number, rule in enumerate(rules):
        yield from _of_rule(("rule", number, "when"), rule.when, stages)
        yield from _of_sender(("rule", number, "then"), rule)
    if reached := [number for number, rule in enumerate(rules) if rule.when == RuleWhen()]:
        for number in range(reached[0] + 1, len(rules)):
            words = (
                f"is never reached: rule {reached[0] + 1} has no condition and matches everything before it"
            )
            yield Slip(("rule", number), words)


def _of_tell(place: Place, told: Sequence[str], teams: Mapping[str, TeamPolicy]) -> Iterator[Slip]:
    """A team that hears must have a section that says where."""
    for team in told:
        if team not in teams:
            words = f"names the team {team!r}, which has no section. {did_you_mean(team, teams)}"
            yield Slip(place, words)


def _of_stages(overdue: InvoiceOverduePolicy) -> Iterator[Slip]:
    """Names and days tell stages apart, and a ladder is read from the top down."""
    names: set[str] = set()
    for number, stage in enumerate(overdue.stages):
        place = ("invoice_overdue", "stage", number)
        if stage.name in names:
            yield Slip((*place, "name"), "is the name of another stage too. Choose another")
        if number and stage.days <= overdue.stages[number - 1].days:
            yield Slip((*place, "days"), "must be more than the days of the stage before it")
        names.add(stage.name)


def _of_rule(place: tuple[str | int, ...], when: RuleWhen, stages: Collection[str]) -> Iterator[Slip]:
    for stage in when.stage or ():
        if stage not in stages:
            yield Slip((*place, "stage"), f"names no stage of the ladder. {did_you_mean(stage, stages)}")
    if when.stage and when.kind and Kind.INVOICE_OVERDUE not in when.kind:
        yield Slip((*place, "stage"), "cannot be true of these kinds: only invoice_overdue has stages")
    from_, below = when.amount_from, when.amount_below
    if from_ is not None and below is not None and from_ >= below:
        yield Slip((*place, "amount_below"), "must be more than amount_from")


def _of_sender(place: tuple[str | int, ...], rule: Rule) -> Iterator[Slip]:
    then = rule.then
    nowhere = sorted(NO_NAMES & set(rule.when.country or ()))
    if then.sender and nowhere and kind_of(then.sender) is SenderKind.NAME:
        words = f"is a name, and under a name nobody can write to {' or '.join(nowhere)}. Name a number"
        yield Slip((*place, "sender"), words)
    for key, sender, channel in (
        ("sender", then.sender, Channel.SMS),
        ("email_sender", then.email_sender, Channel.EMAIL),
    ):
        if sender and then.channels and channel not in then.channels:
            yield Slip((*place, key), f'is of no use: the channels of this rule leave out "{channel.value}"')
