"""What is shown of an invoice to whoever asks why somebody was told, or was not."""

from dataclasses import dataclass
from datetime import datetime

from duebell.showing.what_happened import Happened


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was decided or done. ``details`` are what a verdict rested on."""

    at: datetime
    who: str
    what: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """One message to one person, from the first verdict on."""

    kind: str
    stage: str
    to: str
    stands: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All about one invoice. ``silent`` says for a kind why nothing else stands, ``still`` why nothing of its
    organisation goes out now, ``not_of_then`` what of ``silent`` may not be as it was at the time asked for.
    """

    heading: str
    zone: str
    happened: tuple[Happened, ...] = ()
    people: tuple[Person, ...] = ()
    silent: tuple[tuple[str, str], ...] = ()
    still: tuple[str, ...] = ()
    not_of_then: tuple[str, ...] = ()
