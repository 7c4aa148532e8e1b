"""What doctor finds, one thing at a time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``sound`` is false where a person has something to mend."""

    what: str
    said: str
    sound: bool = True
