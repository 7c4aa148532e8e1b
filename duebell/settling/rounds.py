"""The rounds of looks that a run of settling makes, and what they came to together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from duebell.settling.settling import Settled
from duebell.showing.ended import Ended


@dataclass(frozen=True, slots=True)
class Asked:
    """What a round of looks came to, how many of it failed, and how many it did not come to."""

    settled: tuple[Settled, ...]
    failed: int = 0
    left: int = 0


def ending(rounds: Sequence[Asked], failed: int = 0, outstanding: str = "") -> Ended:
    """The end of a run: what its looks came to, how many of them failed beside ``failed`` other steps, and
    how many were left for the next run. ``outstanding`` is what nobody knows for sure, where it was shown.
    """
    settled = [one for each in rounds for one in each.settled]
    failed += sum(each.failed for each in rounds)
    counts = Counter(one.outcome for one in settled)
    counts += Counter({"failed": failed, "left for the next run": sum(each.left for each in rounds)})
    message = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "none was due"
    name = "Not all settled" if failed else "Settled" if settled else "Nothing to settle"
    return Ended(name, f"{message}; {outstanding}" if outstanding else message, sound=not failed)
