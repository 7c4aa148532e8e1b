"""Text from outside, as a terminal, a log or a page in Prefect's UI may show it: nothing in it acts.

A name in Xero may hold an escape sequence that moves the cursor or paints a link, a sign that turns the line
round, or Markdown. It is shown as what it is.
"""

import re
import unicodedata

from duebell.bidi import FIRST_STRONG_ISOLATE, MARKS, POP_ISOLATE

JOINERS = "\u200c\u200d"
"""Zero width non-joiner and joiner: Persian, the languages of India and emoji are written with them."""

LAID_OUT = "\n\t"


def visible(text: str) -> str:
    """The text with every character that would act written as its escape, such as ``\\x1b``.

    Line ends and tabs stay. So do whole isolates and the marks of direction, as our own messages have them:
    they turn nothing that stands outside. Doing it twice changes nothing more.
    """
    return "".join(shown_each(text))


def shown_each(text: str) -> list[str]:
    """The same, character by character."""
    kept = LAID_OUT + JOINERS + MARKS
    if _is_whole(text):
        kept += FIRST_STRONG_ISOLATE + POP_ISOLATE
    return [one if one in kept or _is_harmless(one) else _escape(one) for one in text]


def named(one: str) -> str:
    """A character by its number and name, for who has to find what cannot be seen."""
    return f"U+{ord(one):04X} ({unicodedata.name(one, 'a character without a name').lower()})"


def in_markdown(text: str) -> str:
    """The text for one cell or line of Markdown, which shows it as it is (github.github.com/gfm)."""
    line = " ".join(visible(text).split())
    line = ACTS_ANYWHERE.sub(r"\\\g<0>", line)
    return ACTS_AT_THE_START.sub(r"\1\\\2", line)


ACTS_ANYWHERE = re.compile(r"[\\`*\[\]<>|~&:@$]|(?<![^\W_])_|_(?![^\W_])|(?<=\bwww)\.")
ACTS_AT_THE_START = re.compile(r"^(\d*)([#+=.)-])")


def _is_whole(text: str) -> bool:
    """Whether each isolate of a line ends in it, so that none reaches what follows."""
    for line in text.splitlines():
        depth = 0
        for one in line:
            depth += (one == FIRST_STRONG_ISOLATE) - (one == POP_ISOLATE)
            if depth < 0:
                return False
        if depth:
            return False
    return True


def _is_harmless(one: str) -> bool:
    kind = unicodedata.category(one)
    if kind == "Cf":  # what Arabic sets before a number is seen; the others are not
        return unicodedata.bidirectional(one) in {"AN", "AL"} and one not in MARKS and one != "\u061c"
    return kind not in {"Cc", "Cs", "Zl", "Zp"}


def _escape(one: str) -> str:
    return one.encode("unicode_escape").decode("ascii")
