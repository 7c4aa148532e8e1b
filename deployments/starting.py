"""How long we wait for a process or thread of ours to be ready, and when a person hears that we still do."""

import time
from collections.abc import Callable
from typing import TypeVar

START_SECONDS = 300.0
"""A small or busy machine takes minutes, and waiting costs nothing: a death is noticed at once."""

PAUSE = 0.1
"""Seconds between two looks: to ask over HTTP costs the processor that what starts needs."""

TOLD_EVERY = 30.0
"""Seconds of waiting after which a person is told, again and again, what is waited for."""


T = TypeVar("T")


def started(
    ready: Callable[[], T],
    alive: Callable[[], bool],
    told: Callable[[], None] = lambda: None,
    *,
    pause: float = PAUSE,
    within: float = START_SECONDS,
    every: float = TOLD_EVERY,
) -> T | None:
    """The first true answer of ``ready``; none where it died first or had none ``within`` so many seconds.

    ``told`` is called ``every`` so many seconds while it is waited for.
    """
    begun = time.monotonic()
    tell_at = begun + every
    while alive():
        if found := ready():
            return found
        now = time.monotonic()
        if now > begun + within:
            return None
        if now > tell_at:
            told()
            tell_at += every
        time.sleep(pause)
    return None
