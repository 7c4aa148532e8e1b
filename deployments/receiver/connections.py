"""A connection of uvicorn that does not wait for ever for a caller, least of all while others wait for it."""

import asyncio
import resource
from operator import attrgetter
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

LOOK_SECONDS = 5.0
MOST_CONNECTIONS = 500
"""More than a proxy in front or Xero and Twilio together open."""

WAITED_FOR = frozenset({h11.IDLE, h11.SEND_BODY})
WAITING_SINCE = attrgetter("waiting_since")


def most_connections() -> int:
    """How many connections to hold: for half of the files that the process may open, others have a use."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, soft // 2)


class ImpatientProtocol(H11Protocol):
    """Closes a connection on which one request has been arriving for two looks, 5 to 10 seconds.

    uvicorn itself has no such end: its keep-alive timeout begins after an answer and stops at the next byte,
    so that a byte a minute holds a connection, and a file descriptor, for as long as the caller likes. And it
    counts connections that say nothing, and answers 503 to those that do: so the ones that have kept us
    waiting longest are closed before there are too many.
    """

    waiting_since: float = 0.0
    """When it last became the caller's turn, in the loop's seconds."""

    _timer: asyncio.TimerHandle | None = None
    _seen: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to look."""
        super().connection_made(transport)
        # It would hold the query string. uvicorn goes by whether the logger has handlers, not by its own
        # setting, and another library's set-up of logging can give it some.
        self.access_log = False
        self._seen = self
        self._timer = self.loop.call_later(LOOK_SECONDS, self._look)
        self.waiting_since = self.loop.time()
        self._make_room()

    def on_response_complete(self) -> None:
        """It is the caller's turn again."""
        self.waiting_since = self.loop.time()
        super().on_response_complete()

    def is_waiting(self) -> bool:
        """Whether nothing is being done for the caller."""
        return self.conn.their_state in WAITED_FOR and not self.transport.is_closing()

    def _make_room(self) -> None:
        most = (self.limit_concurrency or MOST_CONNECTIONS) * 9 // 10
        if len(self.connections) > most:
            ours = (one for one in self.connections if isinstance(one, ImpatientProtocol))
            waiting = sorted((one for one in ours if one.is_waiting()), key=WAITING_SINCE)
            for longest in waiting[: len(self.connections) - most]:
                longest.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        arriving = self.conn.their_state in WAITED_FOR
        current: Any = self.cycle  # None before the first request
        if arriving and self._seen is current:
            self.transport.close()
            return
        self._seen = current if arriving else self
        self._timer = self.loop.call_later(LOOK_SECONDS, self._look)
