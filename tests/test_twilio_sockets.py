"""What real sockets do to a send: the failures that a mocked transport can only claim.

Where a deadline has to strike at a certain point, the server strikes it (``cuts``), so that no test depends
on how fast the machine is.
"""

import base64
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import httpx
import pytest
from pydantic import SecretStr

from duebell.twilio.client import TwilioClient
from duebell.twilio.outcome import Accepted, NotProcessed, SendOutcome, Unknown
from duebell.twilio.transport import HttpxTransport, twilio_http_client
from tests.test_twilio_wire import ACCOUNT, BODY, PHONE, SECRET, message, request

HEAD = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
GENEROUS = httpx.Timeout(30.0)


@dataclass
class SocketServer:
    """A server that lets ``behave`` do what it likes with each connection; it keeps what it was sent."""

    behave: Callable[[socket.socket, "SocketServer"], None]
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    received: list[bytes] = field(default_factory=list[bytes])
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.behave(connection, self)

    def read_request(self, connection: socket.socket) -> None:
        """Take in one whole request, by its Content-Length; keep nothing where none comes."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        missing = int(lengths[0].split(b":")[1]) - len(body) if lengths else 0
        while missing > 0:
            more = connection.recv(65536)
            data, missing = data + more, missing - len(more)
        self.received.append(data)


@contextlib.contextmanager
def serving(behave: Callable[[socket.socket, SocketServer], None]) -> Generator[SocketServer]:
    server = SocketServer(behave)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        thread.join(10)
        assert not thread.is_alive()


def send(
    url: str, *, timeout: httpx.Timeout = GENEROUS, deadline: float = 30.0, times: int = 1
) -> SendOutcome:
    with twilio_http_client() as http:
        client = TwilioClient(
            http, ACCOUNT, ACCOUNT, SecretStr(SECRET), url, timeout=timeout, deadline=deadline
        )
        return [client.send(request()) for _ in range(times)][-1]


def accept(connection: socket.socket, server: SocketServer) -> None:
    server.read_request(connection)
    body = httpx.Response(200, json=message()).content
    connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    if not connection.recv(1):  # the other side closes first, or asks again over the same connection
        return
    raise AssertionError("a connection was used twice")


def close_after_reading(connection: socket.socket, server: SocketServer) -> None:
    server.read_request(connection)


def hang(connection: socket.socket, server: SocketServer) -> None:
    server.read_request(connection)
    server.released.wait(60)


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What the deadlines of the calls will do; they strike when a test says so and not by the clock."""
    made: list[Callable[[], None]] = []

    class HandTimer:
        daemon = False

        def __init__(self, _: float, cut: Callable[[], None]) -> None:
            made.append(cut)

        def start(self) -> None: ...

        def cancel(self) -> None: ...

    monkeypatch.setattr("duebell.twilio.transport.Timer", HandTimer)
    return made


def test_f077_a_refused_connection_is_not_processed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert send(f"http://127.0.0.1:{port}") == NotProcessed("ConnectError")


def test_f077_a_failed_tls_handshake_is_not_processed() -> None:
    def talk_plainly(connection: socket.socket, _: SocketServer) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(talk_plainly) as server:
        assert send(server.url.replace("http:", "https:")) == NotProcessed("ConnectError")
    assert server.received == []


def test_a_tls_handshake_that_hangs_past_the_deadline_is_not_processed(
    cuts: list[Callable[[], None]],
) -> None:
    def say_nothing(connection: socket.socket, server: SocketServer) -> None:
        connection.recv(65536)
        cuts[-1]()
        server.released.wait(60)

    with serving(say_nothing) as server:
        outcome = send(server.url.replace("http:", "https:"))
    assert outcome == NotProcessed("ConnectError")


def test_a_connection_closed_after_the_request_is_unknown_and_not_tried_again() -> None:
    with serving(close_after_reading) as server:
        assert send(server.url) == Unknown("RemoteProtocolError")
    assert len(server.received) == 1


def test_a_connection_closed_at_once_is_unknown_because_it_may_have_taken_the_request() -> None:
    with serving(lambda connection, _: connection.shutdown(socket.SHUT_RDWR)) as server:
        assert isinstance(send(server.url), Unknown)


def test_f083_a_connection_reset_after_the_request_is_unknown_and_not_tried_again() -> None:
    def reset(connection: socket.socket, server: SocketServer) -> None:
        server.read_request(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    with serving(reset) as server:
        assert send(server.url) == Unknown("ReadError")
    assert len(server.received) == 1


def test_silence_past_the_read_timeout_is_unknown() -> None:
    with serving(hang) as server:
        assert send(server.url, timeout=httpx.Timeout(30.0, read=0.2)) == Unknown("ReadTimeout")
    assert len(server.received) == 1


def test_silence_past_the_deadline_is_cut_although_the_read_timeout_is_longer() -> None:
    with serving(hang) as server:
        assert send(server.url, deadline=1.0) == Unknown("ReadTimeout")
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("opening", "drop"),
    [
        pytest.param(HEAD + b"Content-Length: 100000\r\n\r\n", b" ", id="a body of a known length"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", id="a chunked body"),
        pytest.param(HEAD + b"Connection: close\r\n\r\n", b"", id="a body that ends with its connection"),
        pytest.param(HEAD + b"X-Slow: ", b"x", id="a header"),
    ],
)
def test_a_dripping_answer_is_cut_at_the_deadline(
    opening: bytes, drop: bytes, cuts: list[Callable[[], None]]
) -> None:
    def drip(connection: socket.socket, server: SocketServer) -> None:
        server.read_request(connection)
        connection.sendall(opening + drop)
        cuts[-1]()
        with contextlib.suppress(OSError):
            while not server.released.wait(0.01):
                connection.sendall(drop)

    with serving(drip) as server:
        outcome = send(server.url)
    assert outcome == Unknown("ReadTimeout")
    assert len(server.received) == 1


def test_nothing_is_sent_once_the_time_is_over_while_connecting() -> None:
    moments = iter([0.0])
    with serving(close_after_reading) as server, twilio_http_client() as http:
        wire = HttpxTransport(http, server.url, deadline=30.0, monotonic=lambda: next(moments, 31.0))
        with pytest.raises(httpx.ConnectTimeout):
            wire.request("POST", f"{server.url}/x", data={"a": "b"})
    assert server.received == []


def test_every_post_has_a_connection_of_its_own_even_with_a_client_that_keeps_them() -> None:
    with serving(accept) as server, httpx.Client(trust_env=False) as http:
        client = TwilioClient(http, ACCOUNT, ACCOUNT, SecretStr(SECRET), server.url, deadline=30.0)
        outcomes = [client.send(request()) for _ in range(3)]
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert len(server.received) == 3


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, nobody)
    with serving(accept) as server:
        assert isinstance(send(server.url), Accepted)


def test_no_log_of_the_connection_holds_a_number_a_text_or_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), serving(accept) as server:
        assert isinstance(send(server.url), Accepted)
    assert "httpcore" in {record.name.partition(".")[0] for record in caplog.records}
    basic = base64.b64encode(f"{ACCOUNT}:{SECRET}".encode()).decode()
    for held_back in (PHONE[1:], BODY, SECRET, basic):
        assert held_back not in caplog.text
