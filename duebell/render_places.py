"""Where a value stands in a text that a template makes: in a sentence, in an address or in an attribute.

What keeps a value whole in a sentence (isolates, blanks, signs as they are) breaks an address that an
operator wrote around it. So each value is marked when it is printed, and written once all before it is known.
"""

import re
from html import unescape
from urllib.parse import quote

from duebell.bidi import without_marks

BEGIN, END = "\x02", "\x03"
"""Around a value until its place is known; no value has them, for none has a control character."""

MARKED = re.compile(f"{BEGIN}([^{END}]*){END}")
LONGEST_BEFORE = 4096
"""How far back an address or a tag may begin; half a template's largest size."""

IN_SAME_WORD = re.compile(r"[^\s<>\"'\u0e00-\u0e7f\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]*\Z")
"""What may be one address up to here: languages without blanks write their words right behind it."""

WHOLE = re.compile(r"https?://")
"""How an address begins that the template itself gives as a value; no field keeps such a word."""

BEGINS_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://|\bwww\.|\bmailto:|[a-z0-9-]\.[a-z]{2,63}[/?]", re.IGNORECASE
)
OPEN_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(?:\"[^\"]*|'[^']*|[^\s\"']*)\Z")
OF_AN_ADDRESS = frozenset(
    {"action", "background", "cite", "formaction", "href", "poster", "src", "xlink:href"}
)


def marked(text: str) -> str:
    """A value as it is printed until its place is known."""
    return f"{BEGIN}{text}{END}"


def placed(text: str, *, html: bool) -> str:
    """The text with each marked value as its place needs it; ``html`` has the values escaped already."""
    said, end = "", 0
    for found in MARKED.finditer(text):
        said += text[end : found.start()]
        said += _at(said[-LONGEST_BEFORE:], found[1], html=html)
        end = found.end()
    return said + text[end:]


def _at(before: str, value: str, *, html: bool) -> str:
    attribute = _attribute(before) if html else ""
    if attribute in OF_AN_ADDRESS or _is_in_address(before):
        plain = without_marks(unescape(value) if html else value)
        return without_marks(value) if WHOLE.match(plain) else quote(plain, safe="")
    return without_marks(value) if attribute else value


def _is_in_address(before: str) -> bool:
    word = IN_SAME_WORD.search(before)
    return word is not None and BEGINS_ADDRESS.search(word[0]) is not None


def _attribute(before: str) -> str:
    """The attribute in whose value a text ends; nothing where it ends in none."""
    tag = before.rfind("<")
    if tag < 0 or before.rfind(">") > tag:
        return ""
    found = OPEN_ATTRIBUTE.search(before, tag)
    return found[1].lower() if found else ""
