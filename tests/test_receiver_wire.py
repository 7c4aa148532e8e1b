"""The receiver on the wire, under a real uvicorn: what it reads, what it refuses, and how little it says."""

import json
import socket
import time
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from deployments.receiver.parts import Patience, ReceiverParts
from deployments.receiver.reading import LARGEST_CALLBACK, LARGEST_DELIVERY
from duebell.connecting.consent_answer import CALLBACK_PATH
from duebell.ledger.engine import open_ledger
from tests.support_ledger import copied
from tests.support_receiver import (
    TWILIO,
    XERO,
    FakePrefect,
    connect_tenant,
    delivery,
    events_in,
    parts,
    serving,
    signed_xero,
    xero_event,
)

IMPATIENT = Patience(body_seconds=0.3)


@pytest.fixture
def receiver(sqlite_ledger: Engine) -> ReceiverParts:
    connect_tenant(sqlite_ledger)
    return parts(sqlite_ledger, patience=IMPATIENT)


@pytest.fixture
def port(receiver: ReceiverParts) -> Generator[int]:
    """A receiver for one test, over a ledger that the test looks into."""
    with serving(receiver) as port:
        yield port


@pytest.fixture(scope="module")
def shared(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[int]:
    """One receiver for all that leaves nothing behind."""
    engine = copied(migrated, tmp_path_factory.mktemp("wire"))
    connect_tenant(engine)
    with serving(parts(engine, patience=IMPATIENT)) as port:
        yield port


def exchange(port: int, *pieces: bytes) -> bytes:
    """Everything that comes back until the receiver closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return rest_of(connection)


def rest_of(connection: socket.socket) -> bytes:
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
    return answer


def keeps_taking(connection: socket.socket, piece: bytes, times: int, pause: float = 0.0) -> bool:
    """Whether the other side takes this piece so many times."""
    try:
        for _ in range(times):
            connection.sendall(piece)
            time.sleep(pause)
    except (ConnectionResetError, BrokenPipeError):
        return False
    return True


def head(method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: here", *lines, "", ""]).encode("latin-1")


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_delivery_that_drips_in_within_time_is_kept(port: int, receiver: ReceiverParts) -> None:
    raw = delivery(xero_event())
    lines = [f"{name}: {value}" for name, value in signed_xero(raw).items()]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head("POST", XERO, "Transfer-Encoding: chunked", "Connection: close", *lines))
        for byte in raw:
            connection.sendall(b"1\r\n" + bytes([byte]) + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        answer = rest_of(connection)
    assert status_of(answer) == 200
    assert answer.endswith(b"\r\n\r\n")
    assert len(events_in(receiver.engine)) == 1


@pytest.mark.parametrize(("path", "most"), [(XERO, LARGEST_DELIVERY), (TWILIO, LARGEST_CALLBACK)])
def test_f009_a_body_that_announces_too_much_is_refused_before_it_is_sent(
    shared: int, path: str, most: int
) -> None:
    for length in (most + 1, 10**12, 10**19):
        answer = exchange(shared, head("POST", path, f"Content-Length: {length}", "Expect: 100-continue"))
        assert status_of(answer) == 413
        assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("path", [XERO, TWILIO])
def test_f009_a_chunked_body_without_an_end_is_cut_off(shared: int, path: str) -> None:
    chunk = b"1000\r\n" + b"a" * 4096 + b"\r\n"
    with socket.create_connection(("127.0.0.1", shared), timeout=20) as connection:
        connection.sendall(head("POST", path, "Transfer-Encoding: chunked"))
        assert not keeps_taking(connection, chunk, times=12_000)


@pytest.mark.parametrize(("path", "most"), [(XERO, LARGEST_DELIVERY), (TWILIO, LARGEST_CALLBACK)])
def test_a_body_of_the_largest_size_is_read_and_one_byte_more_is_not(
    shared: int, path: str, most: int
) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{shared}", trust_env=False, timeout=60) as client:

        def chunks(size: int) -> Generator[bytes]:
            yield b"a" * (size - 1)
            yield b"a"

        assert client.post(path, content=chunks(most)).status_code in {401, 403}
        assert client.post(path, content=chunks(most + 1)).status_code == 413


@pytest.mark.parametrize("path", [XERO, TWILIO])
def test_a_body_that_does_not_come_is_not_waited_for(shared: int, path: str) -> None:
    answer = exchange(shared, head("POST", path, "Content-Length: 10"), b"abc")
    assert status_of(answer) == 408
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("encoding", ["gzip", "identity", "", "br, gzip"])
def test_f011_an_encoded_body_is_refused_unread_although_it_is_signed(
    port: int, encoding: str, receiver: ReceiverParts
) -> None:
    raw = delivery(xero_event())
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
        answer = client.post(XERO, content=raw, headers={**signed_xero(raw), "content-encoding": encoding})
    assert (answer.status_code, answer.content) == (415, b"")
    assert not events_in(receiver.engine)


def test_f012_the_content_type_changes_nothing(port: int, receiver: ReceiverParts) -> None:
    raw = delivery(xero_event())
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
        for kind in ("application/json; charset=utf-7", "application/x-www-form-urlencoded", "no/such;;;"):
            answer = client.post(XERO, content=raw, headers={**signed_xero(raw), "content-type": kind})
            assert answer.status_code == 200
    assert len(events_in(receiver.engine)) == 1


ELSEWHERE = [
    ("POST", "/", 404),
    ("POST", f"{XERO}/", 404),
    ("POST", f"/{XERO}", 404),
    ("POST", "/webhooks/%78ero", 404),
    ("POST", f"{XERO}%0A", 404),
    ("POST", f"{XERO}%00", 404),
    ("POST", "/webhooks/./xero", 404),
    ("POST", "/webhooks/%2e/xero", 404),
    ("POST", "/webhooks/%ff", 404),
    ("POST", f"http://evil.example{XERO}", 404),
    ("GET", "/docs", 404),
    ("GET", "/openapi.json", 404),
    ("GET", "/healthz/", 404),
    ("OPTIONS", "*", 404),
    ("CONNECT", "evil.example:443", 404),
    *[(method, path, 405) for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "XYZ")
      for path in (XERO, TWILIO)],
    *[(method, CALLBACK_PATH, 405) for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "XYZ")],
    ("GET", f"{CALLBACK_PATH}/", 404),
    ("GET", "/xero/%63allback", 404),
    ("POST", "/healthz", 405),
    ("POST", "/readyz", 405),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status"), ELSEWHERE)
def test_f015_f110_nothing_else_answers_and_the_refusal_is_empty(
    shared: int, method: str, path: str, status: int
) -> None:
    answer = exchange(shared, head(method, path, "Connection: close"))
    lines, _, body = answer.partition(b"\r\n\r\n")
    names = {line.split(b":")[0].lower() for line in lines.split(b"\r\n")[1:]}
    assert (status_of(answer), body) == (status, b"")
    assert names <= {b"date", b"content-length", b"connection", b"allow"}


def test_a_websocket_is_not_opened(shared: int) -> None:
    upgrade = ("Connection: Upgrade, close", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    assert status_of(exchange(shared, head("GET", XERO, *upgrade, "Sec-WebSocket-Key: AAAA"))) == 405


def test_no_answer_names_the_server_or_sets_a_cookie(port: int) -> None:
    raw = delivery(xero_event())
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
        answers = [
            client.post(XERO, content=raw, headers=signed_xero(raw)),
            client.post(XERO, content=raw),
            client.post(TWILIO, content=b"a=b"),
            client.get("/healthz"),
            client.get("/readyz"),
            client.get("/nowhere"),
        ]
    assert [answer.status_code for answer in answers] == [200, 401, 403, 200, 200, 404]
    for answer in answers:
        assert not {"server", "set-cookie", "location", "x-powered-by"} & set(answer.headers)


MALFORMED = [
    b"\x16\x03\x01\x02\x00",
    b"POST\r\n\r\n",
    b"POST / HTTP/9.9\r\n\r\n",
    head("POST", XERO, "Content-Length: 5", "Content-Length: 6"),
    head("POST", XERO, "Content-Length: -1"),
    head("POST", XERO, "Content-Length: " + "9" * 100),
    head("POST", XERO, "Transfer-Encoding: chunked", "Content-Length: 5") + b"0\r\n\r\nGET /healthz",
    head("POST", XERO, "Transfer-Encoding: gzip, chunked"),
    head("POST", XERO, "A: b", " folded: c", "Bad Name: d"),
    head("POST", XERO, *[f"X-{number}: {'a' * 90}" for number in range(300)]),
    b"POST " + b"/a" * 20_000 + b" HTTP/1.1\r\n\r\n",
    head("POST", XERO, "Transfer-Encoding: chunked") + b"zz\r\n",
]


@pytest.mark.parametrize("raw", MALFORMED, ids=[str(number) for number in range(len(MALFORMED))])
def test_f020_a_malformed_request_ends_its_connection_alone(shared: int, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", shared), timeout=20) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = rest_of(connection)
    assert b"root" not in answer
    assert not answer or status_of(answer) in {400, 401, 404, 408, 413, 431, 501}
    assert httpx.get(f"http://127.0.0.1:{shared}/healthz", trust_env=False, timeout=60).text == "ok"


def test_f013_a_connection_that_says_nothing_or_little_is_closed_and_an_honest_one_is_served(
    shared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployments.receiver.connections.LOOK_SECONDS", 0.2)
    idle = [socket.create_connection(("127.0.0.1", shared), timeout=20) for _ in range(20)]
    for connection in idle[:10]:
        connection.sendall(b"POST /webhooks/xero HTTP/1.1\r\nHost: he")
    assert httpx.get(f"http://127.0.0.1:{shared}/healthz", trust_env=False, timeout=60).text == "ok"
    assert [connection.recv(100) for connection in idle] == [b""] * 20
    for connection in idle:
        connection.close()


def test_a_body_that_drips_after_the_answer_does_not_hold_its_connection(
    shared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployments.receiver.connections.LOOK_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", shared), timeout=20) as connection:
        connection.sendall(head("GET", "/healthz", "Content-Length: 1000000"))
        assert not keeps_taking(connection, b"a", times=1_000, pause=0.02)


def test_neither_query_nor_body_nor_signature_is_logged(port: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="uvicorn")
    caplog.set_level("DEBUG", logger="duebell")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
        raw = b'{"events":[{"a":"planted-canary"}]}'
        client.post(f"{XERO}?planted-canary=1", content=raw, headers=signed_xero(raw))
        client.post(XERO, content=raw, headers={"x-xero-signature": "planted-canary"})
        client.post(f"{TWILIO}?n=planted-canary", content=b"To=planted-canary")
        client.get("/planted-canary")
    ours = [record for record in caplog.records if record.name.startswith(("duebell", "uvicorn"))]
    assert ours
    assert not [record for record in ours if "canary" in record.getMessage() + str(record.exc_info)]


def test_alive_is_alive_whatever_is_missing_and_ready_says_what_is() -> None:
    away = parts(open_ledger("sqlite:////nowhere/at/all/x.db"), FakePrefect(away=True))
    with (
        serving(away) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client,
    ):
        assert (client.get("/healthz").status_code, client.get("/healthz").text) == (200, "ok")
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()) == (
            503,
            {"ledger": False, "prefect": False, "tenants": False},
        )


def test_ready_needs_a_connected_tenant(sqlite_ledger: Engine) -> None:
    with serving(parts(sqlite_ledger)) as port:
        ready = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=60)
    assert (ready.status_code, ready.json()) == (503, {"ledger": True, "prefect": True, "tenants": False})


def test_ready_is_truth_values_and_nothing_more(shared: int) -> None:
    ready = httpx.get(f"http://127.0.0.1:{shared}/readyz", trust_env=False, timeout=60)
    assert (ready.status_code, json.loads(ready.content)) == (
        200,
        {"ledger": True, "prefect": True, "tenants": True},
    )
