"""The policy of a process that runs for long: a file that somebody is just mending stops nothing."""

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

from duebell.errors import ConfigurationError
from duebell.policy_file.policy import Policy, content_of, read_policy

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """The last good policy, what the file held at the last look, and what is wrong with that, if anything.

    ``text`` is how the good one was written.
    """

    policy: Policy
    content: bytes | None = field(repr=False)
    problem: str = ""
    text: str = field(default="", repr=False)


def keep(last: Kept | None, content: bytes | None, path: Path) -> Kept:
    """What is in force now that the file holds ``content``, or cannot be read (``None``).

    A broken file leaves the last good policy in force and says what is wrong with it. Where there was none
    yet it raises ``ConfigurationError``: nothing is sent by rules that nobody wrote.
    """
    if last is not None and last.content == content:
        return last
    try:
        return Kept(read_policy(content, path), content, text=(content or b"").decode("utf-8-sig"))
    except ConfigurationError as wrong:
        if last is None:
            raise
        return replace(last, content=content, problem=str(wrong))


class PolicyKeeper:
    """Looks at the policy file each time that it is asked, and reads it anew where it has changed."""

    def __init__(self) -> None:
        self._kept: Kept | None = None
        self._one_at_a_time = Lock()

    def look(self, path: Path) -> Kept:
        """What is in force now; a file that got broken is told of once in the log. Raises as ``keep``."""
        with self._one_at_a_time:
            was = self._kept
            self._kept = now = keep(was, content_of(path), path)
        if now.problem and now is not was:
            log.error("%s\nUntil it is mended, the last policy without mistakes stays in force.", now.problem)
        return now
