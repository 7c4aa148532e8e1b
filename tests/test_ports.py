"""What a server of a test listens on is not taken by another before it does."""

import socket
from pathlib import Path

import pytest

from tests.support_ports import FIRST, LAST, free_port, ports_of

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_no_port_is_handed_out_twice() -> None:
    ports = [free_port() for _ in range(20)]

    assert len(set(ports)) == len(ports)


def test_a_port_that_is_taken_is_not_handed_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", following(free_port())))

        assert free_port() != taken.getsockname()[1]


def test_processes_that_run_at_once_share_no_port() -> None:
    handed = [port for number in range(12) for port in ports_of(f"gw{number}")]

    assert len(set(handed)) == len(handed)
    assert (min(handed), max(handed)) == (FIRST, LAST)


@pytest.mark.skipif(not RANGE.exists(), reason="only Linux says where they are from")
def test_no_outgoing_connection_is_given_a_port_of_a_tests_server() -> None:
    assert int(RANGE.read_text().split()[0]) > LAST


def following(port: int) -> int:
    """The port that comes next, after the last the first."""
    own = next(ports for ports in (ports_of(f"gw{number}") for number in range(12)) if port in ports)
    return own[(own.index(port) + 1) % len(own)]
