"""The templates of a process that runs for long: a file that somebody is just editing stops no message.

What an edited template cannot say is said by the one before it. A template is compiled once for each edit.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock

from jinja2 import Template

from duebell.errors import TemplateProblem

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptTemplate:
    """One file as it stands, and ``before``: the last one that it replaced and that could be said.

    ``template`` is empty where the file cannot be used at all, for the ``problem``. ``told`` are the problems
    that stand in the log already.
    """

    content: bytes | None = field(repr=False)
    template: Template | None
    problem: str = ""
    before: Template | None = None
    has_spoken: bool = False
    told: frozenset[str] = frozenset()


def keep(last: KeptTemplate | None, content: bytes | None, make: Callable[[], Template]) -> KeptTemplate:
    """What is in force now that a file holds ``content``, or cannot be read (``None``).

    ``make`` compiles it, or raises ``TemplateProblem``. One that was replaced before it said anything gives
    way to the one before it: it may have been a slip that was mended at once.
    """
    if last is not None and last.content == content:
        return last
    before = last and (last.template if last.has_spoken or last.before is None else last.before)
    try:
        return KeptTemplate(content, make(), before=before)
    except TemplateProblem as wrong:
        return KeptTemplate(content, None, str(wrong), before)


class TemplateKeeper:
    """Keeps the templates of a folder, each under its name. Threads may share it."""

    def __init__(self) -> None:
        self._kept: dict[str, KeptTemplate] = {}
        self._one_at_a_time = Lock()

    def look(self, name: str, content: bytes | None, make: Callable[[], Template]) -> KeptTemplate:
        """What is in force of a template whose file holds ``content`` now."""
        with self._one_at_a_time:
            kept = self._kept[name] = keep(self._kept.get(name), content, make)
        return kept

    def spoke(self, name: str, kept: KeptTemplate) -> None:
        """Remember that this template could be said."""
        self._note(name, kept, replace(kept, has_spoken=True))

    def tell(self, name: str, kept: KeptTemplate, problem: str) -> None:
        """Say in the log, once, that the template before it speaks in its place."""
        if self._note(name, kept, replace(kept, told=kept.told | {problem})):
            log.error("%s\nUntil it is mended, the template before it is used where this one fails.", problem)

    def _note(self, name: str, kept: KeptTemplate, now: KeptTemplate) -> bool:
        with self._one_at_a_time:
            is_news = now != kept and self._kept.get(name) == kept
            if is_news:
                self._kept[name] = now
        return is_news
