"""What doctor finds, one thing at a time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``sound`` is false where a person has something to mend.

    ``is_seen`` is false where it was not looked at, for a mistake that another finding names.
    """

    what: str
    said: str
    sound: bool = True
    is_seen: bool = True
