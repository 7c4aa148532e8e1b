"""What a template may be given: plain, clean values, whatever somebody typed into Xero.

A contact's name or an invoice's reference is foreign text that goes out under our sender. So it cannot break
lines, turn its reading direction, hide characters, run on for pages, or become something to tap on.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal

from duebell.errors import TemplateProblem

LONGEST_TEXT = 120
LONGEST_LINK = 1000
MOST_ITEMS = 50
DEEPEST = 3

SCHEME = re.compile(r"\w*:[/\\]{2,}")
DOT_OF_A_HOST = re.compile(
    r"(?<=[\w\u0080-\U0010ffff-])[.\u3002\uff0e\uff61]"
    r"(?=(?:[\w-]{1,63}[.\u3002\uff0e\uff61]){0,8}(?:[^\W\d_]{2,}(?!\w)|[^\W\d_][\u0080-\U0010ffff]|xn--))"
)
"""A vowel sign, as in the Indian domains, is no letter to a regular expression."""

DOT_OF_AN_ADDRESS = re.compile(r"(?<=\d)\.(?=\d{1,3}\.\d{1,3}\.\d)")
LINK = re.compile(r"https?://[\x21-\x7e]+")


class Link(str):
    """An address that we made or were given by Xero for this purpose; the only text that stays tappable."""

    __slots__ = ()


class Composed(str):
    """A text that we put together ourselves, of amounts or of texts that are clean: it is said as it is.

    To clean it again would cut it short, and take a sum of a thousand million for an address of a host.
    """

    __slots__ = ()


class Defanged(str):
    """A text in which nothing can be tapped any more; ``typed`` is the same before that was seen to."""

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


def _short(line: str) -> str:
    text = _defanged(line)
    while (
        len(text) > LONGEST_TEXT
    ):  # a cut may leave what looks like an address again, and defanging is longer
        text = _defanged(text[: LONGEST_TEXT - 8].rstrip() + "...")
    return text


def enumerated(texts: Iterable[str]) -> Composed:
    """Several short texts as one, each of them clean and whole; one that is empty is left out."""
    return Composed(", ".join(filter(None, map(clean_text, texts))))


def one_line(text: str) -> str:
    """The same for what no stranger wrote, or nobody is sent: a run's name, a tag. An address stays alive."""
    return _in_one_line(text)[:LONGEST_TEXT]


def _in_one_line(text: str) -> str:
    text = "".join(_kept(character) for character in text[: 4 * LONGEST_TEXT])
    return " ".join(unicodedata.normalize("NFC", text).split())


def _defanged(text: str) -> str:
    """``https://evil.tld/x`` becomes ``evil. tld/x``, which no telephone makes a link of."""
    text = SCHEME.sub(" ", text)
    text = DOT_OF_AN_ADDRESS.sub(". ", DOT_OF_A_HOST.sub(". ", text))
    return " ".join(text.split())


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Zl", "Zp") or character in "\t\n\v\f\r\x85":
        return " "
    return "" if category in ("Cc", "Cf", "Cs") else character


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
        return (value if isinstance(value, Composed) else _text(str(value))) or Blank(place)
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
    clean, typed = _short(line), line[:LONGEST_TEXT]
    return clean if clean == typed else Defanged(clean, typed)


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
