"""A run of `settle` in a simulated life: it looks at what Twilio holds and at what became of the rest."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from duebell.errors import Permanent, Transient
from duebell.ledger import attempts, unsettled
from duebell.ledger.engine import reading
from duebell.ledger.writing import writing
from duebell.settling import confirming, settling, watching

if TYPE_CHECKING:
    from tests.support_simulation import Life

Seen = TypeVar("Seen")

THREADS = 32
"""How much one run looks at side by side, as the flow does."""


def settle(life: "Life", *, confirms: bool) -> None:
    """What the flow does, in its order; with ``confirms`` also what it does once an hour."""
    resources, engine = life.resources, life.engine
    untrue: list[watching.TakeBack] = []
    settled: list[settling.Settled] = []

    def look(attempt: unsettled.Unsettled) -> None:
        looked = _tried(life, lambda: settling.settle(resources, attempt))
        settled.extend([looked] if looked else [])

    def decide(batch: watching.Batch) -> None:
        untrue.extend(_tried(life, lambda: watching.decide_anew(resources, batch, life.read_again)) or ())

    def take_backs() -> list[Callable[[], object]]:
        return [partial(_tried, life, partial(watching.take_back, resources, one)) for one in untrue]

    _all_of(life, [partial(decide, batch) for batch in watching.due(engine, life.clockwork())])
    now = life.clockwork()
    with writing(engine, now) as book:
        attempts.reap(book, resources.policy.settle.first_look)
    with reading(engine) as session:
        due = unsettled.unsettled(session, now=now)
        before = now - confirming.ASK_AFTER
        silent = unsettled.held_too_long(session, now)
        if confirms:
            silent += unsettled.unconfirmed(session, after=now - confirming.ASK_UNTIL, before=before)
    looks = [
        *take_backs(),
        *(partial(look, one) for one in due),
        *(partial(_tried, life, partial(confirming.confirm, resources, one)) for one in silent),
    ]
    _all_of(life, looks)
    late = watching.found_late(engine, life.clockwork.now, settled)
    if late:
        untrue.clear()
        _all_of(life, [partial(decide, batch) for batch in late])
        _all_of(life, take_backs())


def _all_of(life: "Life", looks: Sequence[Callable[[], object]]) -> None:
    life.clockwork.side_by_side(looks, min(THREADS, len(looks)))


def _tried(life: "Life", looks: Callable[[], Seen]) -> Seen | None:
    for _ in range(3):
        try:
            return looks()
        except Permanent:
            break
        except Transient:
            life.clockwork.wait(2)
    return None
