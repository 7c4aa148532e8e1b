"""What a message template may say: text, fields, a few filters, one loop. Everything else is refused unread.

Jinja's own sandbox keeps a template from our objects but not from our time: ``9**9**9`` or nested ranges run
for minutes inside it. So the parsed tree is held against this list before anything is compiled.
"""

from collections.abc import Iterator

from jinja2 import nodes

from duebell.errors import TemplateProblem
from duebell.languages import needed_plural_forms, plural_forms

FILTERS = frozenset({"money", "day", "upper", "default", "first_words", "plural"})
PLURAL = "plural"
ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Getattr,
    nodes.Filter,
    nodes.Keyword,
    nodes.Const,
    nodes.If,
    nodes.For,
    nodes.Not,
)
RESERVED = frozenset({"self", "loop", "super", "caller", "varargs", "kwargs", "context", "environment"})
DEEPEST = 12
MOST_NODES = 500


def refuse_breaches(tree: nodes.Template, language: str) -> None:
    """Raise ``TemplateProblem`` with the line of the first thing that a template may not say.

    A plural has the forms that the template's language needs.
    """
    for count, (node, depth, in_loop) in enumerate(_walk(tree)):
        breach = "more than a message needs" if count > MOST_NODES else _breach(node, depth, in_loop=in_loop)
        if not breach and isinstance(node, nodes.Filter) and node.name == PLURAL:
            breach = _plural_breach(node, language)
        if breach:
            raise TemplateProblem(f"line {node.lineno}: {breach}")


def _walk(tree: nodes.Template) -> Iterator[tuple[nodes.Node, int, bool]]:
    """Each node, its depth, and whether it is in a loop; not by recursion, which a template could exhaust."""
    waiting: list[tuple[nodes.Node, int, bool]] = [(tree, 0, False)]
    while waiting:
        node, depth, in_loop = waiting.pop()
        yield node, depth, in_loop
        inside = in_loop or isinstance(node, nodes.For)
        waiting.extend((child, depth + 1, inside) for child in node.iter_child_nodes())


def _breach(node: nodes.Node, depth: int, *, in_loop: bool) -> str | None:
    if not isinstance(node, ALLOWED):
        return f"{type(node).__name__.lower()} is not among what a template may use"
    if depth > DEEPEST:
        return "nested more deeply than a message needs"
    if isinstance(node, nodes.Name) and (node.name in RESERVED or node.name.startswith("_")):
        return f"the name {node.name} is not a field"
    if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        return f"the name {node.attr} is not a field"
    if isinstance(node, nodes.Filter):
        return _filter_breach(node)
    if isinstance(node, nodes.For):
        return _loop_breach(node, in_loop=in_loop)
    return None


def _filter_breach(node: nodes.Filter) -> str | None:
    if node.name not in FILTERS:
        return f"there is no filter {node.name}; there are {', '.join(sorted(FILTERS))}"
    has_keywords = bool(node.kwargs) and node.name != PLURAL
    if node.node is None or has_keywords or node.dyn_args or node.dyn_kwargs or len(node.args) > 1:
        return f"the filter {node.name} is used in a way that it does not have"
    return None


def _plural_breach(node: nodes.Filter, language: str) -> str | None:
    """A form that is forgotten would be a wrong sentence for some numbers alone, which nobody tries."""
    given = {str(one.key): one.value for one in node.kwargs}
    needed, known = needed_plural_forms(language), plural_forms(language)
    if node.args or not all(
        isinstance(one, nodes.Const) and isinstance(one.value, str) for one in given.values()
    ):
        return f"plural is written like this, # for the count: {_example(needed)}"
    if unknown := sorted(given.keys() - known):
        return f"the language {language} has no plural {unknown[0]}; it has {', '.join(sorted(known))}"
    if missing := sorted(needed - given.keys()):
        return f"the language {language} needs the plural {missing[0]} too: {_example(needed)}"
    return None


def _example(forms: frozenset[str]) -> str:
    return "plural({})".format(", ".join(f'{one}="# ..."' for one in sorted(forms)))


def _loop_breach(node: nodes.For, *, in_loop: bool) -> str | None:
    if in_loop:
        return "a loop inside a loop"
    if node.recursive or node.test is not None or not isinstance(node.target, nodes.Name):
        return "a loop that is not of the form: for item in items"
    return None
