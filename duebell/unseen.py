"""Characters that are not seen: kept where a word or an emoji falls apart without them, and nowhere else."""

import re
import unicodedata

from duebell.visible import JOINERS

FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f")
"""The flag of England, Scotland or Wales: a black one, and the letters of the place as tags, which end."""

FIRST_THAT_JOIN = "\u0590"
"""From here on scripts have letters that join or stack. A joiner in a Latin word only makes an SMS dearer."""

ARROW_OF_A_NOD = "\u2194"
VIRAMA = 9
"""The combining class of the sign that takes a consonant its vowel."""

SKIN = range(0x1F3FB, 0x1F400)


def in_one_line(text: str) -> str:
    """One line in NFC, its blanks single, without control, bidirectional and invisible characters.

    The joiners stay between letters, marks and emoji: without them Persian, Sinhala or Hindi is misspelt,
    and a family is three people. Done twice it changes nothing more.
    """
    if text.isascii() and text.isprintable():  # as most are, and nothing of the rest concerns them
        return " ".join(text.split())
    tags = {place for found in FLAG.finditer(text) for place in range(found.start() + 1, found.end())}
    kept = "".join(one if place in tags else _kept(one) for place, one in enumerate(text))
    joined = "".join(one for place, one in enumerate(kept) if one not in JOINERS or _joins(kept, place))
    return " ".join(unicodedata.normalize("NFC", joined).split())


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Zl", "Zp") or character in "\t\n\v\f\r\x85":
        return " "
    return "" if category in ("Cc", "Cf", "Cs") and character not in JOINERS else character


def _joins(text: str, place: int) -> bool:
    """Whether a joiner is needed at its place: behind a virama also at a word's end (RFC 5892, A.1)."""
    before, after = text[:place][-1:], text[place + 1 :][:1]
    return _is_joined(before) and (_is_joined(after) or unicodedata.combining(before) == VIRAMA)


def _is_joined(character: str) -> bool:
    """Whether it can be a part of a word or an emoji that a joiner holds together."""
    if character < FIRST_THAT_JOIN:  # so is none, at either end of a text
        return False
    kind = unicodedata.category(character)
    return kind[0] in "LM" or kind == "So" or character == ARROW_OF_A_NOD or ord(character) in SKIN
