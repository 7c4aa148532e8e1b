"""Something that happens beside a transaction at work."""

from collections.abc import Callable
from importlib import import_module
from threading import Thread

import pytest


def meanwhile(act: Callable[[], object]) -> Thread:
    """Begin this beside the transaction at work, which may have to end first."""
    other = Thread(target=act)
    other.start()
    other.join(0.5)
    return other


def beside(monkeypatch: pytest.MonkeyPatch, where: str, act: Callable[[], object]) -> list[Thread]:
    """Have this happen beside the transaction that first comes to where this is called."""
    others: list[Thread] = []
    module, name = where.rsplit(".", 1)
    real = getattr(import_module(module), name)

    def at_that_moment(*given: object, **named: object) -> object:
        if not others:
            others.append(meanwhile(act))
        return real(*given, **named)

    monkeypatch.setattr(where, at_that_moment)
    return others
