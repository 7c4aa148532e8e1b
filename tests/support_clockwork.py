"""Simulated time: several senders take turns at every step of the real code, in an order drawn by a seed.

Each of them is a greenlet, because the code that they run is ordinary code: one is at work until it takes a
step, and then the one whose moment has come. So a seed tells the same story each time it is told.
"""

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from greenlet import getcurrent, greenlet

from tests.support_truth import Killed


@dataclass(frozen=True, slots=True)
class Nerves:
    """The chance, at each step, that a process dies or stops there for a while; and how long a step takes."""

    dies: float = 0.0
    stops: float = 0.0
    stops_for: tuple[float, float] = (5.0, 1_200.0)
    a_step: float = 0.02


CALM = Nerves()
LOOKS_ROUND = 0.1
"""How often, in seconds, one who waits for others of its process looks whether they are done."""


@dataclass(slots=True)
class _Process:
    """Where one or more act; they die together."""

    is_dead: bool = False


@dataclass(slots=True)
class _Actor:
    """Somebody who acts over simulated time."""

    work: greenlet
    stops: bool
    process: _Process


class Clockwork:
    """The present, and what is to come. Called, it is the ``Clock`` that the code under test is given."""

    def __init__(self, start: datetime, chance: random.Random, nerves: Nerves = CALM) -> None:
        self.start = self.now = start
        self.nerves = nerves
        self.deaths = self.stops = self.steps = 0
        self.still = False
        """Whether nobody may act meanwhile: a transaction is open."""
        self._chance = chance
        self._coming: list[tuple[datetime, int, _Actor | Callable[[], None]]] = []
        self._number = 0
        self._acting: _Actor | None = None
        self._time_itself = getcurrent()

    def __call__(self) -> datetime:
        self.step()
        return self.now

    @property
    def seconds(self) -> float:
        """How long the simulation has run, in its own time."""
        return (self.now - self.start).total_seconds()

    def at(self, delay: float, happens: Callable[[], None]) -> None:
        """Have something happen in ``delay`` seconds, between two steps of whoever acts then."""
        self._plan(delay, happens)

    def act(self, body: Callable[[], None], *, reborn: float | None = None, stops: bool = True) -> None:
        """Have ``body`` act from now on; one that dies is born anew after ``reborn`` seconds, where given.

        Without ``stops`` it may die, but never stands still.
        """
        self._begin(body, _Process(), reborn=reborn, stops=stops)

    def side_by_side(self, bodies: Iterable[Callable[[], object]], threads: int) -> None:
        """Have the process of whoever acts do all of these, so many at once, and wait until all are done.

        Where one of them dies the whole process does, with whoever waits here.
        """
        waiting, asker = iter(list(bodies)), self._acting
        if asker is None:
            for body in waiting:
                body()
            return
        at_work = threads

        def serve() -> None:
            nonlocal at_work
            for body in waiting:
                body()
            at_work -= 1

        for _ in range(threads):
            self._begin(serve, asker.process, reborn=None, stops=asker.stops)
        while at_work:
            self.wait(LOOKS_ROUND)

    def _begin(
        self, body: Callable[[], None], process: _Process, *, reborn: float | None, stops: bool
    ) -> None:
        actor = _Actor(greenlet(lambda: self._live(actor, body, reborn), self._time_itself), stops, process)
        self._plan(0.0, actor)

    def _live(self, actor: _Actor, body: Callable[[], None], reborn: float | None) -> None:
        while True:
            try:
                return body()
            except Killed:
                actor.process.is_dead = True
                if reborn is None:
                    return None
            actor.process = _Process()
            self.wait(reborn)

    def step(self, seconds: float | None = None) -> None:
        """One step of an actor: others act meanwhile, and it may die or be stopped there.

        Of what happens by itself (``at``) it is no step: nobody acts meanwhile.
        """
        if self._acting is None or self.still:
            return
        self.steps += 1
        drawn = self._chance.random()
        if drawn < self.nerves.dies:
            self.deaths += 1
            raise Killed
        if self._acting.stops and drawn < self.nerves.dies + self.nerves.stops:
            self.stops += 1
            self.wait(self._chance.uniform(*self.nerves.stops_for))
        else:
            self.wait(self._chance.expovariate(1 / self.nerves.a_step) if seconds is None else seconds)

    def wait(self, seconds: float) -> None:
        """Let time pass for the actor that calls."""
        actor = self._acting
        if actor is None:
            return
        self._plan(seconds, actor)
        self._time_itself.switch()
        if actor.process.is_dead:
            raise Killed

    def run(self, is_over: Callable[[], bool], *, most_seconds: float) -> bool:
        """Let everything happen in its order until ``is_over`` (asked once a simulated minute) or too late.

        Returns whether it was over in time. Raises what an actor raised.
        """
        last, asked = self.start + timedelta(seconds=most_seconds), self.now
        while self._coming and self._coming[0][0] <= last:
            self._next()
            if self.now - asked >= timedelta(minutes=1):
                asked = self.now
                if is_over():
                    return True
        return is_over()

    def close(self) -> None:
        """End everybody where they are."""
        for _, _, who in self._coming:
            if isinstance(who, _Actor):
                who.work.throw()

    def _plan(self, delay: float, who: _Actor | Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._coming, (self.now + timedelta(seconds=delay), self._number, who))

    def _next(self) -> None:
        self.now, _, who = heapq.heappop(self._coming)
        if not isinstance(who, _Actor):
            who()
            return
        self._acting = who
        try:
            who.work.switch()
        finally:
            self._acting = None
