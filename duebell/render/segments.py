"""How many parts a text message takes, and which of its characters make it dearer.

A text of GSM 03.38 characters travels in 7-bit units (160 in a single part, 153 in each of several); one
character outside that alphabet switches the whole text to UCS-2 (70, then 67): twilio.com/docs/glossary/
what-is-gsm-7-character-encoding and what-is-ucs-2-character-encoding.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MAX_CHARACTERS = 1600
"""Twilio refuses a longer body (twilio.com/docs/api/errors/21617)."""

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The default alphabet of GSM 03.38: one 7-bit unit each."""

GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
"""The extension table of GSM 03.38: an escape and the character, so two units."""

UNSEEN = "\u00ad\u200b\u2060\ufeff"
"""What word processors put in and nobody sees: it can be left out of any line."""

LOOK_ALIKES = {
    "'": "\u2018\u2019\u201a\u201b\u2032\u00b4`",
    '"': "\u201c\u201d\u201e\u201f\u2033",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
    "/": "\u2044\u2215",
    "...": "\u2026",
    " ": "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
    "": UNSEEN,
}
"""Signs that are read as those before them, and are not in GSM 03.38: quotation marks, dashes and blanks that
word processors put in, and what is not seen at all. Letters are never among them: one with a macron, or an
okina, is another letter than one without."""

_PLAIN = str.maketrans({sign: plain for plain, signs in LOOK_ALIKES.items() for sign in signs})


class Encoding(StrEnum):
    """How a text travels."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


@dataclass(frozen=True, slots=True)
class Segments:
    """What a text takes: ``units`` of its encoding, in ``parts`` that are each charged as one message."""

    encoding: Encoding
    units: int
    parts: int


_SINGLE = {Encoding.GSM_7: 160, Encoding.UCS_2: 70}
_EACH_OF_SEVERAL = {Encoding.GSM_7: 153, Encoding.UCS_2: 67}


def segments(text: str) -> Segments:
    """Count the encoding, units and parts of ``text``; an empty text takes no part."""
    encoding = Encoding.UCS_2 if smart(text) else Encoding.GSM_7
    widths = [_width(character, encoding) for character in text]
    units = sum(widths)
    if units <= _SINGLE[encoding]:
        return Segments(encoding, units, 1 if text else 0)
    return Segments(encoding, units, _packed(widths, _EACH_OF_SEVERAL[encoding]))


def plain(text: str) -> str:
    """The text with plain signs in the place of their look-alikes, where that makes it one of GSM 03.38.

    A text that is UCS-2 in any case stays as it was written.
    """
    folded = text.translate(_PLAIN)
    return text if smart(folded) or len(folded) > MAX_CHARACTERS else folded


def smart(text: str) -> tuple[str, ...]:
    """List the characters, each once and in order of appearance, that force ``text`` into UCS-2."""
    known = GSM_BASIC | GSM_EXTENSION
    return tuple(dict.fromkeys(character for character in text if character not in known))


def _width(character: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM_7:
        return 2 if character in GSM_EXTENSION else 1
    return 2 if ord(character) > 0xFFFF else 1  # a surrogate pair


def _packed(widths: Iterable[int], room: int) -> int:
    """Fill parts in order; neither an escape sequence nor a surrogate pair is cut across two parts."""
    parts, left = 1, room
    for width in widths:
        if width > left:
            parts, left = parts + 1, room
        left -= width
    return parts
