"""Where a value stands in a text that a template makes: in a sentence, in an address or in an attribute.

What keeps a value whole in a sentence (isolates, blanks, signs as they are) breaks an address that an
operator wrote around it. So each value is marked when it is printed, and written once all before it is known.
"""

import re
from html import unescape
from urllib.parse import quote

from duebell.bidi import without_marks
from duebell.render.tappable import untappable

BEGIN, TYPED, END = "\x02", "\x1f", "\x03"
"""Around a value until its place is known; no value has them, for none has a control character."""

MARKED = re.compile(f"{BEGIN}([^{TYPED}{END}]*)(?:{TYPED}([^{END}]*))?{END}")
LONGEST_BEFORE = 4096
"""How far back an address or a tag may begin; half a template's largest size."""

IN_SAME_WORD = re.compile(r"[^\s<>\"'\u0e00-\u0e7f\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]*")
"""What may be one address: languages without blanks write their words right behind it."""

WHOLE = re.compile(r"https?://")
"""How an address begins that the template itself gives as a value; no field keeps such a word."""

BEGINS_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://|\bwww\.|\bmailto:|[a-z0-9-]\.[a-z]{2,63}[/?]", re.IGNORECASE
)
NAMES_ITS_HOST = re.compile(r"://[^/?#]+[/?#]|[a-z0-9-]\.[a-z]{2,63}[/?]|\A/(?!/)", re.IGNORECASE)
"""Where an address is at the operator's own host, whatever follows: before that, a field could be another."""

OPEN_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(?:\"[^\"]*|'[^']*|[^\s\"']*)\Z")
OF_AN_ADDRESS = frozenset(
    {"action", "background", "cite", "formaction", "href", "poster", "src", "xlink:href"}
)


def marked(text: str, typed: str = "") -> str:
    """A value as it is printed until its place is known.

    ``typed`` is how it reads in an address, where it is quoted, if that is not as it reads in a sentence.
    """
    return f"{BEGIN}{text}{TYPED}{typed}{END}" if typed else f"{BEGIN}{text}{END}"


def placed(text: str, *, html: bool) -> str:
    """The text with each marked value as its place needs it; ``html`` has the values escaped already."""
    said, end = "", 0
    for found in MARKED.finditer(text):
        said += text[end : found.start()]
        said += _at(said[-LONGEST_BEFORE:], found[1], found[2], html=html)
        end = found.end()
    return said + text[end:]


def _at(before: str, value: str, typed: str | None, *, html: bool) -> str:
    attribute = _attribute(before) if html else ""
    if attribute in OF_AN_ADDRESS or _is_in_address(before):
        if typed and NAMES_ITS_HOST.search(_word(before)):
            return quote(unescape(typed) if html else typed, safe="")
        plain = without_marks(unescape(value) if html else value)
        plain = untappable(plain) if typed else plain
        return without_marks(value) if WHOLE.match(plain) else quote(plain, safe="")
    return without_marks(value) if attribute else value


def _is_in_address(before: str) -> bool:
    return BEGINS_ADDRESS.search(_word(before)) is not None


def _word(before: str) -> str:
    found = IN_SAME_WORD.match(before[::-1])  # from the end: a search would begin anew at every letter
    return found[0][::-1] if found else ""


def _attribute(before: str) -> str:
    """The attribute in whose value a text ends; nothing where it ends in none."""
    tag = before.rfind("<")
    if tag < 0 or before.rfind(">") > tag:
        return ""
    found = OPEN_ATTRIBUTE.search(before, tag)
    return found[1].lower() if found else ""
