"""Something that happens beside a transaction at work."""

from collections.abc import Callable
from threading import Thread


def meanwhile(act: Callable[[], object]) -> Thread:
    """Begin this beside the transaction at work, which may have to end first."""
    other = Thread(target=act)
    other.start()
    other.join(0.5)
    return other
