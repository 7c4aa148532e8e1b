"""Simulated time: several senders take turns at every step of the real code, in an order drawn by a seed.

Each of them is a thread, because the code that they run is ordinary code; but one thread runs at a time, the
one whose moment has come. So a seed tells the same story each time it is told.
"""

import heapq
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.support_truth import Killed


@dataclass(frozen=True, slots=True)
class Nerves:
    """The chance, at each step, that a process dies or stops there for a while; and how long a step takes."""

    dies: float = 0.0
    stops: float = 0.0
    stops_for: tuple[float, float] = (5.0, 1_200.0)
    a_step: float = 0.02


CALM = Nerves()


@dataclass
class _Actor:
    """Somebody who acts over simulated time; its thread waits for its turn."""

    name: str
    stops: bool = True
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


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
        self._back = threading.Semaphore(0)
        self._acting: _Actor | None = None
        self._alive: set[str] = set()
        self._failure: BaseException | None = None
        self._closing = False

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

    def act(
        self, name: str, body: Callable[[], None], *, reborn: float | None = None, stops: bool = True
    ) -> None:
        """Have ``body`` act from now on; one that dies is born anew after ``reborn`` seconds, where given.

        Without ``stops`` it may die, but never stands still.
        """
        actor = _Actor(name, stops)
        self._alive.add(name)
        threading.Thread(target=self._live, args=(actor, body, reborn), name=name, daemon=True).start()
        self._plan(0.0, actor)

    def _live(self, actor: _Actor, body: Callable[[], None], reborn: float | None) -> None:
        actor.turn.acquire()
        try:
            if not self._closing:
                body()
        except Killed:
            if reborn is not None and not self._closing:
                self.at(reborn, lambda: self.act(actor.name, body, reborn=reborn, stops=actor.stops))
        except BaseException as error:  # noqa: BLE001 - it is raised again where the simulation is run
            self._failure = error
        finally:
            self._alive.discard(actor.name)
            self._back.release()

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
        self._back.release()
        actor.turn.acquire()
        if self._closing:
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
        self._closing = True
        waiting = [who for _, _, who in self._coming if isinstance(who, _Actor)]
        for actor in waiting:
            actor.turn.release()
            self._back.acquire()

    def _plan(self, delay: float, who: _Actor | Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._coming, (self.now + timedelta(seconds=delay), self._number, who))

    def _next(self) -> None:
        self.now, _, who = heapq.heappop(self._coming)
        if not isinstance(who, _Actor):
            who()
            return
        self._acting = who
        who.turn.release()
        self._back.acquire()
        self._acting = None
        if self._failure is not None:
            raise self._failure
