"""The template files themselves, whatever is said with them: what is refused, misused or read by nobody."""

from collections.abc import Iterator
from pathlib import Path

from jinja2 import nodes

from duebell.errors import TemplateProblem
from duebell.lint.findings import Grade, LintFinding
from duebell.policy_file.policy import Policy
from duebell.policy_file.rules import Rule
from duebell.policy_file.shapes import Kind
from duebell.render.rendering import Templates
from duebell.render.segments import plain, smart
from duebell.render.template_folders import NEEDED, PARTS, SMS_TEXT, TemplateFolder, team_template
from duebell.render.template_sandbox import TemplateSandbox
from duebell.render.wording import TEAMS_VALUES
from duebell.render.words_wanted import Wanted, wanted_of
from duebell.setting_shapes import did_you_mean

TOGETHER = frozenset({"owing", "invoice", "payment"})
"""What is always of one currency in a message to a customer."""


def kinds_of(rule: Rule) -> tuple[str, ...]:
    """The kinds of message that a rule may match."""
    if rule.when.kind is not None:
        return tuple(kind.value for kind in rule.when.kind)
    return (Kind.INVOICE_OVERDUE.value,) if rule.when.stage else tuple(kind.value for kind in Kind)


def of_files(folder: Path, policy: Policy) -> Iterator[LintFinding]:
    """What is wrong with the files, each by itself."""
    templates, used = Templates(folder), _templates_of(policy)
    for stray in templates.strays():
        words = "is read by nobody: a template is one of"
        yield LintFinding(stray, 0, Grade.HINT, f"{words} {', '.join(PARTS)} in the folder of its language")
    for one in templates.folders():
        template = f"{one.kind}/{one.variant}".rstrip("/")
        if template not in used:
            words = f"is read by nobody: no kind and no rule has it. {did_you_mean(template, used)}"
            yield LintFinding(one.name, 0, Grade.HINT, words)
            continue
        for part in one.parts:
            yield from _of_file(templates, folder, one, part)
    for one in wanted_of(policy):
        yield from _not_there(templates, one)


def _not_there(templates: Templates, one: Wanted) -> Iterator[LintFinding]:
    """What the policy asks for and nobody wrote, in its language or at all."""
    said_in = templates.tongue_of(one.template, one.channel, one.language, one.default).language
    needed = NEEDED[one.channel]
    missing = [part for part in needed if not templates.has_part(f"{one.template}/{said_in}", part)]
    if missing:
        words = f"is not there, so its messages cannot be said. Write {' and '.join(missing)}"
        yield LintFinding(f"{one.template}/{said_in}", 0, Grade.MEND, words)
    elif not one.language.startswith(said_in):
        words = f"is not there, so it is said in {said_in}. Write {' and '.join(needed)}"
        yield LintFinding(f"{one.template}/{one.language}", 0, Grade.HINT, words)


def _templates_of(policy: Policy) -> set[str]:
    """Every template that a message may take its words from: a kind's, a team's, a rule's variant."""
    found = {kind.value for kind in Kind} | {team_template(kind) for kind in TEAMS_VALUES}
    for own in (policy, *policy.tenants.values()):
        for rule in own.rules:
            if rule.then.template:
                found.update(f"{kind}/{rule.then.template}" for kind in kinds_of(rule))
    return found


def _of_file(templates: Templates, root: Path, folder: TemplateFolder, part: str) -> Iterator[LintFinding]:
    file = f"{folder.name}/{part}"
    try:
        templates.check(folder.name, part)
    except TemplateProblem as problem:
        line, _, said = str(problem).removeprefix(f"{file} line ").partition(": ")
        at = int(line) if line.isdigit() else 1
        yield LintFinding(file, at, Grade.MEND, said if line.isdigit() else str(problem))
        return
    tree = TemplateSandbox().parse((root / file).read_text(encoding="utf-8-sig"))
    for line, said in _foreign_currencies(tree, is_teams=folder.kind in map(team_template, TEAMS_VALUES)):
        yield LintFinding(file, line, Grade.MEND, said)
    if part == SMS_TEXT:
        yield from _dear_characters(tree, file)


def _foreign_currencies(tree: nodes.Template, *, is_teams: bool) -> Iterator[tuple[int, str]]:
    """Amounts that are written with the currency of something else."""
    for one in tree.find_all(nodes.Filter):
        if one.name != "money" or not one.args:
            continue
        amount, currency = one.node, one.args[0]
        if isinstance(currency, nodes.Const):
            yield one.lineno, f"writes every amount in {currency.value}. Write money(invoice.currency)"
            continue
        of_amount, of_currency = _group(amount), _group(currency)
        same = of_amount == of_currency or (
            not is_teams and {of_amount, of_currency} <= {*TOGETHER, "still_owing", *_items(tree)}
        )
        if not same:
            said = f"writes an amount of {of_amount or 'one thing'} in the currency of {of_currency}"
            yield one.lineno, f"{said}: the two may differ. Write {of_amount or 'its own'}.currency"


def _group(node: nodes.Node | None) -> str:
    """The name that a value is read from, such as ``invoice`` for ``invoice.total``."""
    while isinstance(node, nodes.Getattr | nodes.Filter):
        node = node.node
    return node.name if isinstance(node, nodes.Name) else ""


def _items(tree: nodes.Template) -> set[str]:
    """The names of the items of loops."""
    return {one.target.name for one in tree.find_all(nodes.For) if isinstance(one.target, nodes.Name)}


def _dear_characters(tree: nodes.Template, file: str) -> Iterator[LintFinding]:
    """The few characters of a template itself that make every SMS one of 70 characters."""
    found = list(tree.find_all(nodes.TemplateData))
    dear = smart(plain("".join(one.data for one in found)))
    for character in dear if len(dear) <= FEW else ():
        where = next(one for one in found if character in one.data)
        line = where.lineno + where.data[: where.data.index(character)].count("\n")
        words = f"the character {character} makes an SMS one of 70 characters instead of 160"
        yield LintFinding(file, line, Grade.HINT, f"{words}. Write it otherwise, or leave it out")


FEW = 3
"""A language that is written in another alphabet has more of its characters than this."""
