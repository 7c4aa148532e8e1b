"""What real sockets do to a call to Xero, and which failures are tried again."""

import datetime as dt
import socket
import ssl
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prefect.states import Failed
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from duebell.errors import BadAnswer, Permanent, RateLimited, ReservedForMessages, TenantParked, Transient
from duebell.xero.answers import CallMade
from duebell.xero.client import XeroClient
from duebell.xero.transfer import AnswerTooSlow, Bounds, make_http_client
from tasks._prefect import RETRYING, transient
from tests.support_facts import TENANT
from tests.test_twilio_sockets import SocketServer, serving

A_MINUTE = 60.0
"""No more than this is needed on any machine where a wait is bounded; unbounded, each takes longer."""


def call(
    url: str, kind: type[Transient] = Transient, *, bounds: Bounds | None = None, timeout: float = 2.0
) -> list[CallMade]:
    """One call; what was counted of it, though it fails with this kind of ``Transient``."""
    counted: list[CallMade] = []
    with make_http_client() as http:
        http.timeout = httpx.Timeout(timeout)
        token = SecretStr("a.test.token")
        client = XeroClient(http, url, lambda: token, TENANT, nullcontext, counted.append, bounds=bounds)
        with pytest.raises(Transient) as failed:
            client.invoice_page(1)
    assert type(failed.value) is kind
    assert "a.test.token" not in str(failed.value)
    return counted


def test_f030_a_closed_port_is_tried_again_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert len(call(f"http://127.0.0.1:{port}")) == 1


def test_f030_a_server_that_never_answers_the_connection_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.settimeout(0)
            with suppress(BlockingIOError):
                filler.connect(full.getsockname())
        began = time.monotonic()
        call(f"http://127.0.0.1:{full.getsockname()[1]}", timeout=0.5)
        assert time.monotonic() - began < A_MINUTE
        for filler in fillers:
            filler.close()


def test_f030_a_name_that_cannot_be_resolved_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    call("https://api.xero.invalid")


def self_signed(folder: Path) -> Path:
    """A certificate for localhost that nobody vouches for, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    begins = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(begins + dt.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    plain = serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_f030_a_certificate_that_nobody_vouches_for_is_never_waived(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    asked: list[bytes] = []

    def behave(connection: socket.socket, _server: SocketServer) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as shielded:
            asked.append(shielded.recv(65_536))

    with serving(behave) as server:
        call(f"https://localhost:{server.listener.getsockname()[1]}")
    assert b"".join(asked) == b""


def test_f031_an_answer_that_drips_is_cut_when_the_time_is_up() -> None:
    enough = threading.Event()

    def drip(connection: socket.socket, server: SocketServer) -> None:
        server.read_request(connection)
        with suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not enough.wait(0.1):
                connection.sendall(b" ")

    with serving(drip) as server:
        began = time.monotonic()
        call(server.url, AnswerTooSlow, bounds=Bounds(within=1.0))
        enough.set()
    assert 0.9 <= time.monotonic() - began < A_MINUTE


def test_f031_an_answer_that_does_not_begin_is_told_from_a_server_that_is_not_there() -> None:
    def behave(connection: socket.socket, server: SocketServer) -> None:
        connection.recv(65_536)
        server.released.wait(60)

    with serving(behave) as server:
        call(server.url, AnswerTooSlow, timeout=0.3)
        server.released.set()


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (Transient("503"), True),
        (BadAnswer("cut short"), True),
        (RateLimited("429", "minute", 17.0), True),
        (httpx.ConnectError("Prefect is away"), True),
        (OperationalError("UPDATE", None, Exception("database is locked")), False),  # maybe after the POST
        (TenantParked("parked"), False),
        (ReservedForMessages("reserved"), False),
        (Permanent("400"), False),
        (ValueError("a mistake of ours"), False),
    ],
    ids=lambda one: type(one).__name__,
)
def test_f029_only_what_may_pass_soon_is_tried_again(error: Exception, again: bool) -> None:  # noqa: FBT001 - a case of the table
    assert transient(None, None, Failed(data=error)) is again


def test_f029_a_call_is_tried_five_times_in_all_and_each_time_later() -> None:
    waits = RETRYING["retry_delay_seconds"](RETRYING["retries"])
    assert (RETRYING["retries"], waits) == (4, [2, 4, 8, 16])
    assert RETRYING["retry_jitter_factor"] == 0.5
