"""Every template said of every sample: what it cannot say, where it reads badly, and when it grows dear."""

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from duebell.errors import Permanent, TemplateProblem
from duebell.lint.findings import Grade, LintFinding
from duebell.lint.tellings import Sample
from duebell.lint.texts import GAP, Cause, cause_of, gap_of, line_naming, line_of_gap
from duebell.policy.reaching import EMAIL, SMS
from duebell.policy_file.policy import Policy
from duebell.render.message_text import template_of, tongue_for, words_of
from duebell.render.rendering import Templates
from duebell.render.segments import segments
from duebell.render.template_folders import NEEDED, SMS_TEXT, SUBJECT, TEXT
from duebell.render.wording import Telling, values_for

PROBLEM = re.compile(
    r"(?:rule \d+[^:]*: )?(?P<file>[A-Za-z0-9_/-]+\.[a-z]+)(?: line (?P<line>\d+))?:? (?P<said>.*)"
)
"""How a template's problem is worded: the rule that wants it, file, line, and what is wrong."""


@dataclass(slots=True)
class _Lengths:
    """How many parts the SMS of one template took, and why the first of several parts did."""

    parts: Counter[int] = field(default_factory=Counter[int])
    called: str = ""
    cause: Cause | None = None


class Saying:
    """Says samples, and gathers what there is to find. ``folder`` is that of the templates."""

    def __init__(self, folder: Path) -> None:
        """Nothing is said yet."""
        self._folder = folder
        self._templates = Templates(folder)
        self._problems: dict[tuple[str, int, str], Counter[str]] = {}
        self._lengths: dict[str, _Lengths] = {}
        self.said = 0

    def say(self, sample: Sample, policy: Policy, *, measured: bool) -> None:
        """Say one sample by each channel that it could go by. ``measured``: its length counts."""
        for channel in self._channels(sample.telling, policy):
            self.said += 1
            try:
                self._look(sample, channel, measured=measured)
            except TemplateProblem as problem:
                self._note(*_read(str(problem)), sample.called)
            except Permanent as problem:
                self._note(template_of(sample.telling), 1, str(problem), sample.called)

    def findings(self) -> list[LintFinding]:
        """What was found, each thing once, with how many messages it concerns."""
        return [
            LintFinding(file, line, Grade.MEND, f"{said} {_such_as(called)}")
            for (file, line, said), called in self._problems.items()
        ] + [
            _dear(file, one, self._source(file))
            for file, one in self._lengths.items()
            if one.cause is not None
        ]

    def _channels(self, telling: Telling, policy: Policy) -> list[str]:
        """Those that the policy names, and those that there are templates for all the same."""
        named = telling.route.channels or policy.of_kind(telling.subject.kind).channels
        there = [one for one in (SMS, EMAIL) if self._is_there(telling, one)]
        return list(dict.fromkeys([*(() if telling.subject.team else named), *there]))

    def _is_there(self, telling: Telling, channel: str) -> bool:
        folder = self._folder_of(telling, channel)
        return all(self._templates.has_part(folder, part) for part in NEEDED[channel])

    def _folder_of(self, telling: Telling, channel: str) -> str:
        return f"{template_of(telling)}/{tongue_for(self._templates, telling, channel).language}"

    def languages(self) -> tuple[str, ...]:
        """Those that there are templates in."""
        return tuple(sorted({one.language for one in self._templates.folders()}))

    def _look(self, sample: Sample, channel: str, *, measured: bool) -> None:
        telling, folder = sample.telling, self._folder_of(sample.telling, channel)
        words = words_of(self._templates, telling, channel)
        said = {SMS_TEXT: words.text} if channel == SMS else {SUBJECT: words.subject, TEXT: words.text}
        for part, text in said.items():
            if GAP.search(text) and (gap := gap_of(text, values_for(telling))):
                file = f"{folder}/{part}"
                line = line_of_gap(self._source(file), gap)
                missing = f'leaves a gap: "{gap.strip()}" stands where a word is missing. Put it behind an if'
                self._note(file, line, missing, sample.called)
        if channel == SMS and measured:
            lengths = self._lengths.setdefault(f"{folder}/{SMS_TEXT}", _Lengths())
            lengths.parts[taken := segments(words.text).parts] += 1
            if taken > 1 and lengths.cause is None:
                lengths.cause, lengths.called = cause_of(words.text, values_for(telling)), sample.called

    def _note(self, file: str, line: int, said: str, called: str) -> None:
        self._problems.setdefault((file, line, said), Counter())[called] += 1

    def _source(self, file: str) -> str:
        try:
            return (self._folder / file).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            return ""


def _read(problem: str) -> tuple[str, int, str]:
    """File, line and words of a template's problem."""
    found = PROBLEM.fullmatch(problem)
    return (found["file"], int(found["line"] or 1), found["said"]) if found else ("", 1, problem)


def _such_as(called: Counter[str]) -> str:
    first = next(iter(called))
    return f"({called.total()} messages, such as of {first})" if called.total() > 1 else f"(of {first})"


def _dear(file: str, one: _Lengths, source: str) -> LintFinding:
    """What an SMS of several parts costs, and what does it."""
    cause, several = one.cause or Cause(""), one.parts.total() - one.parts[1]
    most = max(one.parts)
    where = f" in {cause.place}" if cause.place else ""
    of_all = f"{several} of {one.parts.total()} messages take" if one.parts[1] else "every message takes"
    said = f"{of_all} {most} SMS instead of 1, such as of {one.called}: {cause.why}{where}"
    return LintFinding(file, line_naming(source, cause.place), Grade.HINT, said)


def as_variant(sample: Sample, place: int, policy: Policy) -> Sample:
    """The sample as if a rule, counted from 1, had matched it."""
    then = policy.rules[place - 1].then
    route = replace(sample.telling.route, place=place, template=then.template, tone=then.tone)
    language = then.language or sample.telling.language
    return Sample(replace(sample.telling, route=route, language=language), sample.called)
