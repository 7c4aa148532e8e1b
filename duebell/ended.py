"""The end of a run, as its state in Prefect's UI says it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run is called at its end, what it came to in words, and whether all of it went well."""

    name: str
    message: str
    sound: bool = True
