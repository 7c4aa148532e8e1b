"""A connection of uvicorn that does not wait for ever for a caller to finish its request."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

LOOK_SECONDS = 5.0


class ImpatientProtocol(H11Protocol):
    """Closes a connection on which one request has been arriving for two looks, 5 to 10 seconds.

    uvicorn itself has no such end: its keep-alive timeout begins after an answer and stops at the next byte,
    so that a byte a minute holds a connection, and a file descriptor, for as long as the caller likes.
    """

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

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        arriving = self.conn.their_state in {h11.IDLE, h11.SEND_BODY}
        current: Any = self.cycle  # None before the first request
        if arriving and self._seen is current:
            self.transport.close()
            return
        self._seen = current if arriving else self
        self._timer = self.loop.call_later(LOOK_SECONDS, self._look)
