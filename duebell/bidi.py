"""Text of both directions in one line: what is put into a sentence keeps its own order and disturbs none.

A number, a Latin name or an amount within Arabic or Hebrew pulls the signs beside it to its own side: the
invoice ``2026-0042`` would be read as ``0042-2026``. So it stands in an isolate, which the Unicode
Bidirectional Algorithm treats as one neutral thing (unicode.org/reports/tr9, FSI and PDI).
"""

import unicodedata

FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"
ISOLATES = "\u2066\u2067" + FIRST_STRONG_ISOLATE
MARKS = "\u200e\u200f"
"""Left-to-right and right-to-left mark, as CLDR writes them into the amounts of such languages."""

RIGHT = frozenset({"R", "AL"})
KEEPS_ITS_PLACE = RIGHT | {"AN", "EN", "NSM", "WS"}


def isolated(text: str, *, right_to_left: bool) -> str:
    """The text as it is put into a sentence of this direction: in an isolate, if it needs one.

    An isolate makes an SMS one of 70 characters; a text needs one only where that has happened anyway.
    """
    kinds = {unicodedata.bidirectional(character) for character in text}
    if right_to_left:
        needed = not kinds <= KEEPS_ITS_PLACE or (bool(kinds) and not kinds & RIGHT and kinds != {"EN"})
    else:
        needed = not kinds.isdisjoint(RIGHT)
    return f"{FIRST_STRONG_ISOLATE}{text}{POP_ISOLATE}" if needed else text


def direction_of(text: str) -> str:
    """From which side a paragraph is read, ``ltr`` or ``rtl``; nothing where it does not tell.

    Its first letter decides that stands in no isolate (unicode.org/reports/tr9, P2 and P3).
    """
    depth = 0
    for character in text:
        depth = max(0, depth + (character in ISOLATES) - (character == POP_ISOLATE))
        kind = unicodedata.bidirectional(character)
        if not depth and (kind == "L" or kind in RIGHT):
            return "rtl" if kind in RIGHT else "ltr"
    return ""


def without_marks(text: str) -> str:
    """The text without the marks and isolates that only we put there; unpaired ones stay."""
    depth, kept = 0, list[str]()
    for character in text:
        depth += (character == FIRST_STRONG_ISOLATE) - (character == POP_ISOLATE)
        if depth < 0:
            break
        kept.append(character)
    if depth != 0:
        return text
    invisible = FIRST_STRONG_ISOLATE + POP_ISOLATE + MARKS
    return "".join(character for character in kept if character not in invisible)
