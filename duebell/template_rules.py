"""What a message template may say: text, fields, a few filters, one loop. Everything else is refused unread.

Jinja's own sandbox keeps a template from our objects but not from our time: ``9**9**9`` or nested ranges run
for minutes inside it. So the parsed tree is held against this list before anything is compiled.
"""

from collections.abc import Iterator

from jinja2 import nodes

from duebell.errors import TemplateProblem

FILTERS = frozenset({"money", "day", "upper", "default", "first_words"})
ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Getattr,
    nodes.Filter,
    nodes.Const,
    nodes.If,
    nodes.For,
    nodes.Not,
)
RESERVED = frozenset({"self", "loop", "super", "caller", "varargs", "kwargs", "context", "environment"})
DEEPEST = 12
MOST_NODES = 500


def refuse_breaches(tree: nodes.Template) -> None:
    """Raise ``TemplateProblem`` with the line of the first thing that a template may not say."""
    for count, (node, depth, in_loop) in enumerate(_walk(tree)):
        breach = "more than a message needs" if count > MOST_NODES else _breach(node, depth, in_loop=in_loop)
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
    if node.node is None or node.kwargs or node.dyn_args or node.dyn_kwargs or len(node.args) > 1:
        return f"the filter {node.name} is used in a way that it does not have"
    return None


def _loop_breach(node: nodes.For, *, in_loop: bool) -> str | None:
    if in_loop:
        return "a loop inside a loop"
    if node.recursive or node.test is not None or not isinstance(node.target, nodes.Name):
        return "a loop that is not of the form: for item in items"
    return None
