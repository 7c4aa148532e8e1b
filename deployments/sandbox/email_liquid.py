"""LiquidJS as far as an email shows it: what it eats of a text that was meant to be plain.

liquidjs.com: ``{{`` … ``}}`` prints a quoted text or a variable, an unknown one as nothing; ``{%`` … ``%}``
is a tag and prints nothing; an opening without its end fails the whole template.
"""

import re
from collections.abc import Mapping

_TOKEN = re.compile(
    r"""\{\{-?(?P<output>(?:"[^"]*"|'[^']*'|(?!\}\}).)*?)-?\}\}|\{%(?P<tag>.*?)%\}|(?P<open>\{\{|\{%)""",
    re.DOTALL,
)
_QUOTED = re.compile(r"""\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)')\s*""")
_RAW = re.compile(r"\{%-?\s*raw\s*-?%\}(?P<inside>.*?)\{%-?\s*endraw\s*-?%\}", re.DOTALL)


class LiquidError(Exception):
    """The template cannot be rendered: the email fails."""


def rendered(template: str, variables: Mapping[str, str]) -> str:
    """What a recipient sees of a template. Raises ``LiquidError`` where an opening has no end."""
    pieces: list[str] = []
    position = 0
    for raw in _RAW.finditer(template):
        pieces += [_without_raw(template[position : raw.start()], variables), raw["inside"]]
        position = raw.end()
    return "".join([*pieces, _without_raw(template[position:], variables)])


def _without_raw(template: str, variables: Mapping[str, str]) -> str:
    def shown(found: re.Match[str]) -> str:
        if found["open"]:
            raise LiquidError(f"{found['open']} is not closed")
        return _output(found["output"], variables) if found["output"] is not None else ""

    return _TOKEN.sub(shown, template)


def _output(expression: str, variables: Mapping[str, str]) -> str:
    quoted = _QUOTED.fullmatch(expression)
    if quoted:
        return quoted["double"] if quoted["double"] is not None else quoted["single"]
    return variables.get(expression.partition("|")[0].strip(), "")
