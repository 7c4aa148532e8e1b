"""The template files themselves, whatever is said with them: what is refused, misused or read by nobody."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from jinja2 import nodes

from duebell.email_text import PAGE, SUBJECT, TEXT
from duebell.errors import TemplateProblem
from duebell.lint.findings import Grade, LintFinding
from duebell.message_text import team_folder
from duebell.policy_file import Policy
from duebell.policy_rules import Rule
from duebell.policy_shapes import Kind
from duebell.render import Templates
from duebell.segments import smart
from duebell.setting_shapes import did_you_mean
from duebell.template_sandbox import TemplateSandbox
from duebell.wording import TEAMS_VALUES

PARTS = ("sms.txt", SUBJECT, TEXT, PAGE)

TOGETHER = frozenset({"owing", "invoice", "payment"})
"""What is always of one currency in a message to a customer."""


def kinds_of(rule: Rule) -> tuple[str, ...]:
    """The kinds of message that a rule may match."""
    if rule.when.kind is not None:
        return tuple(kind.value for kind in rule.when.kind)
    return (Kind.INVOICE_OVERDUE.value,) if rule.when.stage else tuple(kind.value for kind in Kind)


def folders_of(policy: Policy) -> set[str]:
    """Every folder that a message may take its words from."""
    found = {kind.value for kind in Kind} | {team_folder(kind) for kind in TEAMS_VALUES}
    for own in (policy, *policy.tenants.values()):
        for rule in own.rules:
            if rule.then.template:
                found.update(f"{kind}/{rule.then.template}" for kind in kinds_of(rule))
    return found


def of_files(folder: Path, policy: Policy) -> Iterator[LintFinding]:
    """What is wrong with the files, each by itself."""
    used, templates = folders_of(policy), Templates(folder)
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        file = path.relative_to(folder).as_posix()
        kind, _, part = file.rpartition("/")
        if kind not in used:
            words = f"is read by nobody: no kind and no rule's template has it. {did_you_mean(kind, used)}"
            yield LintFinding(file, 0, Grade.HINT, words)
        elif part not in PARTS:
            words = f"is read by nobody. {did_you_mean(part, PARTS)}"
            yield LintFinding(file, 0, Grade.HINT, words)
        else:
            yield from _of_file(templates, folder, kind, part)


def _of_file(templates: Templates, folder: Path, kind: str, part: str) -> Iterator[LintFinding]:
    file = f"{kind}/{part}"
    try:
        templates.check(kind, part)
    except TemplateProblem as problem:
        line, _, said = str(problem).removeprefix(f"{file} line ").partition(": ")
        at = int(line) if line.isdigit() else 1
        yield LintFinding(file, at, Grade.MEND, said if line.isdigit() else str(problem))
        return
    tree = TemplateSandbox().parse((folder / file).read_text(encoding="utf-8-sig"))
    is_teams = kind in {team_folder(one) for one in TEAMS_VALUES}
    for line, said in _foreign_currencies(tree, is_teams=is_teams):
        yield LintFinding(file, line, Grade.MEND, said)
    if part == "sms.txt":
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
    """Characters of the template itself that make every SMS one of 70 characters."""
    for one in tree.find_all(nodes.TemplateData):
        for character in smart(one.data):
            before = one.data[: one.data.index(character)]
            line = one.lineno + before.count("\n")
            mend = MENDS.get(character)
            words = f"the character {character} makes an SMS one of 70 characters instead of 160"
            yield LintFinding(
                file, line, Grade.HINT, f"{words}. {f'Write {mend}' if mend else 'Leave it out'}"
            )


MENDS: Mapping[str, str] = {
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{NO-BREAK SPACE}": "a plain blank",
    "\N{BULLET}": "-",
}
"""What a plain telephone's alphabet has in the place of a character."""
