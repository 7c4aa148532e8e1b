"""What can happen to events on their way, decided by a seeded chance alone, so that it can happen again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from random import Random

from deployments.sandbox.control_types import Disorder, Event


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event with its place in the sequence of the app."""

    number: int
    event: Event


@dataclass(frozen=True, slots=True)
class Bundle:
    """Events that go out in one POST; ``again`` where they went out before."""

    events: tuple[Event, ...]
    first: int
    last: int
    again: bool = False


def arranged(events: Sequence[Numbered], disorder: Disorder, chance: Random) -> list[Bundle]:
    """The POSTs of these events, in their order.

    A lost event leaves a gap in the sequence. One that goes out twice does so anywhere after its first time.
    """
    kept = [one for one in events if not _lost(one.event, disorder, chance)]
    if disorder.shuffled:
        chance.shuffle(kept)
    size = max(1, disorder.batch)
    bundles = [_bundle(kept[start : start + size]) for start in range(0, len(kept), size)]
    for bundle in list(bundles):
        if chance.random() < disorder.twice:
            place = chance.randint(bundles.index(bundle) + 1, len(bundles))
            bundles.insert(place, replace(bundle, again=True))
    return bundles


def _lost(event: Event, disorder: Disorder, chance: Random) -> bool:
    # Asked of every event, so that a narrower filter does not shift the chance of the others.
    drawn = chance.random()
    concerned = fnmatchcase(event.category, disorder.category) and fnmatchcase(
        event.resource_id, disorder.resource_id
    )
    return concerned and drawn < disorder.lost


def _bundle(part: Sequence[Numbered]) -> Bundle:
    numbers = [one.number for one in part]
    return Bundle(tuple(one.event for one in part), min(numbers), max(numbers))
