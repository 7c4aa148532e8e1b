"""A plain load balancer: each connection goes to the next of several ports that takes it."""

import itertools
import socket
import socketserver
import threading
from contextlib import suppress

SECONDS = 600.0
"""How long a connection may be silent: an event stream is, for minutes."""


class Forwarder:
    """Listens on a port of the loopback, and passes connections on to one of ``upstreams``."""

    def __init__(self) -> None:
        self.upstreams: list[int] = []
        self._turn = itertools.count()
        forwarder = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                forwarder.pass_on(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Take no more connections."""
        self._server.shutdown()
        self._server.server_close()

    @staticmethod
    def reaches(port: int) -> bool:
        """Whether somebody listens there."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
            return True
        return False

    def pass_on(self, caller: socket.socket) -> None:
        """Pass on what is said both ways, until one of the two ends it; at once where nobody is there."""
        taken = self._taken()
        if taken is None:
            return
        with taken:
            there = threading.Thread(target=_pump, args=(caller, taken), daemon=True)
            there.start()
            _pump(taken, caller)
            there.join()

    def _taken(self) -> socket.socket | None:
        first = next(self._turn)
        for place in range(len(self.upstreams)):
            port = self.upstreams[(first + place) % len(self.upstreams)]
            with suppress(OSError):
                return socket.create_connection(("127.0.0.1", port), SECONDS)
        return None


def _pump(here: socket.socket, there: socket.socket) -> None:
    with suppress(OSError):
        while said := here.recv(65_536):
            there.sendall(said)
    for one in (here, there):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
