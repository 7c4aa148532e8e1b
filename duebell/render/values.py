"""What a template may be given: plain, clean values, whatever somebody typed into Xero.

A contact's name or an invoice's reference is foreign text that goes out under our sender. So it cannot break
lines, turn its reading direction, hide characters, run on for pages, or become something to tap on.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal

from duebell.errors import TemplateProblem
from duebell.render.tappable import looks_like_a_link, untappable
from duebell.unseen import in_one_line

LONGEST_TEXT = 120
LONGEST_LINK = 1000
MOST_ITEMS = 50
DEEPEST = 3

LINK = re.compile(r"https?://[\x21-\x7e]+")


class Link(str):
    """An address that we made or were given by Xero for this purpose; the only text that stays tappable."""

    __slots__ = ()


class OwnNumber(str):
    """An invoice's number as the organisation gave it, which whoever pays types as their reference.

    It is said as it was issued, but where a telephone would take it for an address.
    """

    __slots__ = ()


class Composed(str):
    """A text that we put together ourselves, of amounts or of texts that are clean: it is said as it is.

    To clean it again would cut it short, and take a sum of a thousand million for an address of a host.
    """

    __slots__ = ()


class Defanged(str):
    """A text in which nothing can be tapped any more; ``typed`` is the same before that was seen to.

    A number of our own may read as it was typed even so: that it becomes no host is seen to in its place.
    """

    __slots__ = ("typed",)
    typed: str

    def __new__(cls, clean: str, typed: str) -> "Defanged":
        """The clean text, with what was typed."""
        defanged = super().__new__(cls, clean)
        defanged.typed = typed
        return defanged


class Blank(str):
    """A value that is there but empty. It remembers its place, so that printing it can be refused by name."""

    __slots__ = ("place",)
    place: str

    def __new__(cls, place: str) -> "Blank":
        """An empty text found at ``place``."""
        blank = super().__new__(cls, "")
        blank.place = place
        return blank


class Fields(dict[str, object]):
    """Values by name; the only thing whose attributes a template may read."""

    __slots__ = ("place",)

    def __init__(self, place: str, values: Mapping[str, object]) -> None:
        """``place`` is how a template writes this group, empty for the outermost."""
        super().__init__(values)
        self.place = place


def cleaned(values: Mapping[str, object]) -> Fields:
    """A clean copy; ``TemplateProblem`` names the place of a value that is not plain data."""
    return _fields(values, "", 0)


def clean_text(text: str) -> str:
    """One short line in NFC, without control, bidirectional and invisible characters or a live address."""
    return _short(_in_one_line(text))


def clean_number(text: str) -> str:
    """The same of a number of the organisation's own, whose dots are left to it: see ``OwnNumber``."""
    return _short_number(_in_one_line(text))


def _short(line: str) -> str:
    text = _defanged(line)
    while (
        len(text) > LONGEST_TEXT
    ):  # a cut may leave what looks like an address again, and defanging is longer
        text = _defanged(text[: LONGEST_TEXT - 8].rstrip() + "...")
    return text


def _short_number(line: str) -> str:
    return _short(line) if len(line) > LONGEST_TEXT or looks_like_a_link(line) else line


def enumerated(numbers: Iterable[str]) -> Composed:
    """Several invoices' numbers as one text, each of them clean and whole; one that is empty is left out."""
    return Composed(", ".join(filter(None, map(clean_number, numbers))))


def one_line(text: str) -> str:
    """The same for what no stranger wrote, or nobody is sent: a run's name, a tag. An address stays alive."""
    return in_one_line(_in_one_line(text)[:LONGEST_TEXT])


def _in_one_line(text: str) -> str:
    return in_one_line(text[: 4 * LONGEST_TEXT])


def _defanged(text: str) -> str:
    """Without a live address; what held together where a scheme or a tail was cut off is gone with it."""
    return in_one_line(untappable(text))


def _fields(values: Mapping[str, object], place: str, depth: int) -> Fields:
    if depth > DEEPEST or len(values) > MOST_ITEMS:
        raise TemplateProblem(f"the values at {place or 'the top'} are more or deeper than a message needs")
    found: dict[str, object] = {}
    for name, value in values.items():
        found[name] = _value(value, f"{place}.{name}" if place else name, depth)
    return Fields(place, found)


def _value(value: object, place: str, depth: int) -> object:
    """Exact types only: an object with a life of its own has no business in a template."""
    if value is None:
        return Blank(place)
    if isinstance(value, Link):
        return _link(value, place)
    if isinstance(value, str):
        return (value if isinstance(value, Composed) else _text(value)) or Blank(place)
    if type(value) is Decimal and value.is_finite():
        return value
    if type(value) is date or (type(value) is int and abs(value) < 10**6):
        return value
    if type(value) in (dict, Fields):
        return _fields(value, place, depth + 1)  # pyright: ignore[reportArgumentType]: its own items are checked in turn
    if type(value) in (tuple, list):
        return _items(value, place, depth + 1)  # pyright: ignore[reportArgumentType]: its own items are checked in turn
    kind = "datetime, not a calendar date" if isinstance(value, datetime) else type(value).__name__
    raise TemplateProblem(
        f"the value {place} is a {kind}; a template gets text, amounts, days and groups of them"
    )


def _text(said: str) -> str:
    line = _in_one_line(said)
    clean, typed = _short(line), in_one_line(line[:LONGEST_TEXT])
    read = _short_number(line) if isinstance(said, OwnNumber) else clean
    return clean if clean == typed else Defanged(read, typed)


def _link(link: Link, place: str) -> Link | Blank:
    if not link:
        return Blank(place)
    if len(link) > LONGEST_LINK or not LINK.fullmatch(link):
        raise TemplateProblem(f"the link {place} is not an http address of at most {LONGEST_LINK} characters")
    return Link(str(link))


def _items(values: tuple[object, ...] | list[object], place: str, depth: int) -> tuple[object, ...]:
    if depth > DEEPEST or len(values) > MOST_ITEMS:
        raise TemplateProblem(f"the list {place} is longer or deeper than a message needs")
    return tuple(_value(value, place, depth) for value in values)
