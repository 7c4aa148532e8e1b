"""How long we wait for a process or thread of ours to be ready, and when a person hears that we still do."""

import time
from collections.abc import Callable

START_SECONDS = 300.0
"""A small or busy machine takes minutes, and waiting costs nothing: a death is noticed at once."""

TOLD_EVERY = 30.0
"""Seconds of waiting after which a person is told, again and again, what is waited for."""


def started(
    ready: Callable[[], bool],
    alive: Callable[[], bool],
    told: Callable[[], None] = lambda: None,
    *,
    within: float = START_SECONDS,
    every: float = TOLD_EVERY,
) -> bool:
    """Whether it became ready; not, where it died first or was not ready ``within`` so many seconds.

    ``told`` is called ``every`` so many seconds while it is waited for.
    """
    begun = time.monotonic()
    tell_at = begun + every
    while alive():
        if ready():
            return True
        now = time.monotonic()
        if now > begun + within:
            return False
        if now > tell_at:
            told()
            tell_at += every
        time.sleep(0.02)
    return False
