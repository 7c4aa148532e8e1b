"""What a lint finds: each with its file, its line and its mend."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from duebell.policy_file.policy import Policy
from duebell.policy_file.slips import Slip, line_of, named
from duebell.policy_file.toml_lines import Place, lines_of


class Grade(StrEnum):
    """How much it matters: something goes wrong until it is mended, or it is only worth knowing."""

    MEND = "mend"
    HINT = "hint"


@dataclass(frozen=True, slots=True, order=True)
class LintFinding:
    """One thing, at a line of a file; ``line`` is 0 where it is about the file as a whole."""

    file: str
    line: int
    grade: Grade
    said: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about a place in the policy."""

    grade: Grade
    slip: Slip


def mend(place: Place, words: str) -> Remark:
    """Something that goes wrong; ``words`` end a sentence that begins with the place."""
    return Remark(Grade.MEND, Slip(place, words))


def hint(place: Place, words: str) -> Remark:
    """Something that is worth knowing."""
    return Remark(Grade.HINT, Slip(place, words))


def findings_of(remarks: Iterable[Remark], text: str, file: str) -> list[LintFinding]:
    """The remarks with their lines, each once.

    An organisation's policy has all the common lines too: what holds of those is said of them alone.
    """
    lines = lines_of(text)
    every = dict.fromkeys(remarks)
    own = [
        one
        for one in every
        if one.slip.place in lines
        or one.slip.of_all() is one.slip
        or Remark(one.grade, one.slip.of_all()) not in every
    ]
    return [_finding(one, lines, file) for one in own]


def _finding(one: Remark, lines: Mapping[Place, int], file: str) -> LintFinding:
    place = one.slip.place
    said = f"{named(place, lines, Policy)} {one.slip.words}"
    return LintFinding(file, line_of(place, lines), one.grade, said)
