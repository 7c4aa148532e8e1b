"""The end of a run, as its state in Prefect's UI says it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run is called at its end, what it came to in words, and whether all of it went well."""

    name: str
    message: str
    sound: bool = True


def of_housekeeping(rested: int, failed: int, broken: Sequence[str]) -> Ended:
    """The end of a run that was to renew so many consents, and found this of the ledger that must not be."""
    message = "; ".join([f"{rested - failed} consents refreshed, {failed} could not be", *broken])
    name = "Ledger broken" if broken else "Not all kept" if failed else "Kept"
    return Ended(name, message, sound=not (failed or broken))
