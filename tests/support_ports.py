"""Ports for the servers that tests start."""

import os
import re
import socket
from collections.abc import Iterator
from functools import cache

FIRST, LAST = 20_000, 31_999
"""Below where a system takes the ports of its outgoing connections from (32768 on Linux, 49152 elsewhere)."""
PROCESSES = 12
"""So many processes of one session have ports of their own, a thousand each."""


def free_port() -> int:
    """A port that nobody has, and that no other test and no outgoing connection is given meanwhile.

    What ``bind`` to port 0 finds is one of those of outgoing connections: until the server of the test has
    started, one may have taken it, and it keeps it for another minute after its end (man 7 ip).
    """
    for port in _coming():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no port from {FIRST} to {LAST} is free")


@cache
def _coming() -> Iterator[int]:
    ports = ports_of(os.environ.get("PYTEST_XDIST_WORKER", ""))
    start = os.getpid() % len(ports)  # two sessions at once, or one just after another, begin elsewhere
    return iter([*ports[start:], *ports[:start]])


def ports_of(process: str) -> range:
    """Those that this process of a session hands out, ``gw2`` for example: no other does."""
    number = int(re.sub(r"\D", "", process) or 0) % PROCESSES
    count = (LAST + 1 - FIRST) // PROCESSES
    return range(FIRST + number * count, FIRST + (number + 1) * count)
