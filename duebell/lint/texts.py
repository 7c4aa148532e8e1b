"""What is wrong with a text that a template made: gaps where a word was meant, more parts than expected."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from duebell.render.segments import segments, smart
from duebell.visible import named

GAP = re.compile(r"(?<=\S) [,.](?=\s|$)|,\s*[,.]|\(\s*\)|^[,.;:]")
"""What is left where a word is missing: "Hi ,", ",,", "()"."""

Values = Mapping[str, object]


def gap_of(text: str, values: Values) -> str:
    """What a reader stumbles over, as it stands; nothing where a value itself is written like that."""
    typed = [value for _, value in _texts(values)]
    for found in GAP.finditer(text):
        if not any(found[0] in value for value in typed):
            return found[0]
    return ""


def line_of_gap(source: str, gap: str) -> int:
    """The line of a template on which the sign after the gap stands behind something that may be empty."""
    sign = gap.strip()[-1:]
    found = re.search(r"[%}]\}\s*" + re.escape(sign), source)
    return source.count("\n", 0, found.end() - 1) + 1 if found else 1


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a text takes several parts. ``place`` is the field that does it; empty for the template itself."""

    why: str
    place: str = ""


def cause_of(text: str, values: Values) -> Cause:
    """What makes an SMS longer than one part: a character of another alphabet, or its length."""
    for character in smart(text):
        place = next((place for place, value in _texts(values) if character in value), "")
        return Cause(f"the character {named(character)} leaves room for 70 instead of 160", place)
    units = segments(text).units
    within = [(len(value), place) for place, value in _texts(values) if value in text]
    longest, place = max(within, default=(0, ""))
    return Cause(f"{units} characters do not fit 160; the longest value has {longest}", place)


def line_naming(source: str, place: str) -> int:
    """The first line of a template on which a field is used; of a list's items, by the field's last word."""
    word = place.rsplit(".", 1)[-1] if ".0." in place else place
    found = re.search(rf"\{{[{{%][^}}]*\b{re.escape(word)}\b", _without_remarks(source)) if place else None
    return source.count("\n", 0, found.start()) + 1 if found else 1


def _without_remarks(source: str) -> str:
    """The same with each remark blanked, line by line, so that every line keeps its number."""
    return re.sub(r"\{#.*?#\}", lambda found: re.sub(r"[^\n]", " ", found[0]), source, flags=re.DOTALL)


def _texts(values: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text among the values, with its place as a template writes it (a list's items by number)."""
    if isinstance(values, str):
        if place != "locale":
            yield place, values
    elif isinstance(values, Mapping):
        for name, value in values.items():  # pyright: ignore[reportUnknownVariableType]  # whatever a template is given
            yield from _texts(value, f"{place}.{name}".lstrip("."))  # pyright: ignore[reportUnknownArgumentType]  # the same
    elif isinstance(values, list | tuple):
        for number, value in enumerate(values):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # the same
            yield from _texts(value, f"{place}.{number}")  # pyright: ignore[reportUnknownArgumentType]  # the same
