"""Where the templates lie: ``<kind>/<language>``, and ``<kind>/<variant>/<language>`` for a rule's own words.

A folder that bears a language's name holds that language; any other within a kind is a variant. A message is
said in one language from its subject to its last word: where a part of it is missing in the language that is
wanted, all of it is said in the default language.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from duebell.languages import from_near_to_far, is_language
from duebell.policy.reaching import EMAIL, SMS

SMS_TEXT, SUBJECT, TEXT, PAGE = "sms.txt", "subject.txt", "body.txt", "body.html"
PARTS = (SMS_TEXT, SUBJECT, TEXT, PAGE)

NEEDED: dict[str, tuple[str, ...]] = {SMS: (SMS_TEXT,), EMAIL: (SUBJECT, TEXT)}
"""What a message of a channel cannot do without; the page is made from the text where there is none."""

KIND = re.compile(r"[a-z]+(_[a-z]+)*")


def team_template(kind: str) -> str:
    """The template by which a team is told of a kind."""
    return f"{kind}_team"


@dataclass(frozen=True, slots=True)
class TemplateFolder:
    """The words of one kind of message, or of a variant of it, in one language."""

    kind: str
    variant: str
    language: str
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The folder within the folder of the templates: ``invoice_overdue/firm/de``."""
        return "/".join(one for one in (self.kind, self.variant, self.language) if one)

    def missing(self, channel: str) -> tuple[str, ...]:
        """The parts without which a message of this channel is said in the default language instead."""
        return tuple(one for one in NEEDED[channel] if one not in self.parts)


@dataclass(frozen=True, slots=True)
class Tongue:
    """The language that a message is said in, and the one that was wanted for it."""

    language: str
    wanted: str

    @property
    def is_wanted(self) -> bool:
        """Whether it is the wanted one, or what that is a form of."""
        return self.language in from_near_to_far(self.wanted)


def all_folders(root: Path) -> tuple[TemplateFolder, ...]:
    """Every folder of templates that there is, in the order of their names, with its language and parts."""
    return tuple(_all(root))


def _all(root: Path) -> Iterator[TemplateFolder]:
    for kind in _inside(root):
        if KIND.fullmatch(kind.name):
            for inner in _inside(kind):
                variant = "" if is_language(inner.name) else inner.name
                for place in _inside(inner) if variant else [inner]:
                    if is_language(place.name):
                        yield TemplateFolder(kind.name, variant, place.name, _parts(place))


def _inside(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []


def _parts(folder: Path) -> tuple[str, ...]:
    return tuple(part for part in PARTS if (folder / part).is_file())


def strays(root: Path) -> tuple[str, ...]:
    """The files that no message is made from, as they are called: in a wrong place, or with a wrong name."""
    used = {f"{folder.name}/{part}" for folder in all_folders(root) for part in folder.parts}
    files = (one.relative_to(root).as_posix() for one in sorted(root.rglob("*")) if one.is_file())
    return tuple(one for one in files if one not in used and not Path(one).name.startswith("."))


def tongue_of(root: Path, template: str, channel: str, wanted: str, default: str) -> Tongue:
    """The language in which a message of this template (``<kind>`` or ``<kind>/<variant>``) can be said.

    The wanted one, what it is a form of (``de`` for ``de-CH``), or else the default one.
    """
    for language in (*from_near_to_far(wanted), *from_near_to_far(default)):
        if all((root / template / language / part).is_file() for part in NEEDED[channel]):
            return Tongue(language, wanted)
    return Tongue(default, wanted)
