"""One HTTP exchange with Xero, bounded in time and in size.

httpx bounds the wait for each piece of an answer, not the whole: a body that drips keeps a worker for ever,
and a body of 10 kB may unpack to gigabytes. So the body is read in pieces, against a clock and a cap.
"""

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import httpx

from duebell.errors import BadAnswer, NotServed, Transient

PIECE = 65_536  # bytes unpacked at a time
USER_AGENT = "duebell"


class AnswerTooLarge(BadAnswer):
    """The body is larger than the cap; a smaller page may fit."""


class AnswerTooSlow(Transient):
    """Xero was reached, and took longer than is waited; what asks for less may be answered in time."""


class AnsweredTooLate(AnswerTooSlow, NotServed):
    """What stands before Xero did not wait for its answer (504)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long one answer may take from asking to its last byte (seconds), and its unpacked size (bytes)."""

    within: float = 60.0
    max_bytes: int = 10_000_000
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: header names in lower case, the body unpacked."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def make_http_client() -> httpx.Client:
    """A client fit for Xero; share one per process.

    ``trust_env=False``: no proxy, no certificate file and no credentials are taken from the environment, for
    a proxy that someone else set would see the bearer token. No redirect is followed, for the same reason.
    """
    return httpx.Client(
        # Seconds. The pool's is long: waiting for a free connection sends nothing.
        timeout=httpx.Timeout(connect=5.0, read=20.0, write=10.0, pool=30.0),
        # Xero allows 5 calls at a time per organisation; a process seldom serves more than four at once.
        limits=httpx.Limits(max_connections=20, max_keepalive_connections=10, keepalive_expiry=30.0),
        follow_redirects=False,
        trust_env=False,
    )


def exchange(http: httpx.Client, request: httpx.Request, bounds: Bounds) -> Answer:
    """The answer to ``request``, whatever its status.

    Raises ``Transient`` named after httpx's error when the transport fails, ``AnswerTooSlow`` when the time
    is up, ``AnswerTooLarge`` beyond the cap, ``BadAnswer`` for an encoding that cannot be unpacked.
    """
    outcome = _attempt(http, request, bounds)
    if isinstance(outcome, Answer):
        return outcome
    # Raised here, outside the handler: httpx's errors carry the request, and with it the bearer token.
    raise outcome


def _attempt(http: httpx.Client, request: httpx.Request, bounds: Bounds) -> Answer | Transient:
    ends_at = bounds.monotonic() + bounds.within
    try:
        response = http.send(request, stream=True, follow_redirects=False)
        try:
            headers = {name.lower(): value for name, value in response.headers.items()}
            pieces = _unpacked(_arriving(response, ends_at, bounds), headers.get("content-encoding", ""))
            return Answer(response.status_code, headers, _gathered(pieces, ends_at, bounds))
        finally:
            response.close()
    except httpx.HTTPError as error:
        kind = AnswerTooSlow if isinstance(error, httpx.ReadTimeout) else Transient
        return kind(f"{type(error).__name__} while asking {request.url.host}")


def _arriving(response: httpx.Response, ends_at: float, bounds: Bounds) -> Iterator[bytes]:
    """The body as it comes from the wire; unpacking is ours, for httpx unpacks a piece without a bound."""
    stream = response.stream
    if not isinstance(stream, httpx.SyncByteStream):
        raise TypeError("an asynchronous body in a synchronous client")
    for piece in stream:
        _check_time(ends_at, bounds)
        yield piece


def _unpacked(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    if encoding.lower() in ("", "identity"):
        return pieces
    if encoding.lower() in ("gzip", "x-gzip"):
        return _gunzipped(pieces)
    raise BadAnswer("the answer is packed in a way that was not asked for")


def _gunzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    some = False
    for piece in pieces:
        some = some or bool(piece)
        rest, more = piece, True
        while more:
            unpacked = _next_piece(unpacker.decompress, rest)
            yield unpacked
            rest = unpacker.unconsumed_tail
            more = bool(rest) or len(unpacked) == PIECE
    if some and not unpacker.eof:
        raise BadAnswer("the packed answer was cut short")


def _next_piece(unpack: Callable[[bytes, int], bytes], packed: bytes) -> bytes:
    try:
        return unpack(packed, PIECE)
    except zlib.error:
        raise BadAnswer("the packed answer is broken") from None


def _gathered(pieces: Iterator[bytes], ends_at: float, bounds: Bounds) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > bounds.max_bytes:
            raise AnswerTooLarge(f"the answer is larger than {bounds.max_bytes} bytes")
    _check_time(ends_at, bounds)
    return bytes(body)


def _check_time(ends_at: float, bounds: Bounds) -> None:
    if bounds.monotonic() > ends_at:
        raise AnswerTooSlow(f"the answer took longer than {bounds.within:g} s")
