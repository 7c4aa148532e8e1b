"""The twilio helper's HTTP, done by httpx: with timeouts; nothing is retried, followed, reused or kept.

The helper's own clients have no timeout by default, and its asynchronous one POSTs again on a 5xx when asked
for retries (twilio/twilio-python#925 and its source), which at a send means a second message.
"""

import contextlib
import logging
import socket
import time
from collections.abc import Callable, Mapping
from threading import Lock, Timer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr
from twilio.http import HttpClient
from twilio.http.response import Response

from duebell.errors import ConfigurationError
from duebell.twilio.outcome import NOTHING_SENT, Answer

TIMEOUT = httpx.Timeout(connect=5.0, read=10.0, write=5.0, pool=5.0)
"""Seconds of silence that are borne in each phase of a call."""

DEADLINE = 20.0
"""Seconds for a whole call: httpx's read timeout starts anew with each byte, so it alone bounds nothing."""

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""More than any page of Twilio's; what goes on longer is not read."""


def twilio_http_client(transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """An httpx client for Twilio: no proxy, netrc or certificates from the environment, no redirects."""
    return httpx.Client(transport=transport, trust_env=False, follow_redirects=False, timeout=TIMEOUT)


def require_credentials(username: str, password: SecretStr) -> None:
    """Raises ``ConfigurationError`` for credentials of Twilio's that cannot work."""
    if not username.strip() or not password.get_secret_value().strip():
        raise ConfigurationError("set TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET")


def base_url(url: str, variable: str) -> str:
    """An address to which paths are added. Raises ``ConfigurationError`` for one that cannot work."""
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ConfigurationError(f"{variable} must be an http or https URL")
    return url.rstrip("/")


def exchange(
    http: httpx.Client,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: httpx.Timeout = TIMEOUT,
    deadline: float = DEADLINE,
    monotonic: Callable[[], float] = time.monotonic,
    **arguments: Any,
) -> Answer:
    """Make one request, and read its answer, all within ``deadline`` seconds. ``arguments`` are httpx's.

    Raises httpx's exceptions; past the deadline ConnectTimeout or ReadTimeout.
    """
    # A kept connection that the server has closed meanwhile fails like a lost answer.
    arguments["headers"] = {**(headers or {}), "Connection": "close"}
    with _Deadline(deadline, monotonic) as limit:
        arguments["extensions"] = {"trace": limit.trace}
        try:
            with http.stream(method, url, timeout=timeout, follow_redirects=False, **arguments) as response:
                body = _read(response, limit)
        except NOTHING_SENT:
            raise
        except httpx.TransportError:
            limit.check()
            raise
    return Answer(response.status_code, response.headers, body.decode("utf-8", "replace"))


class HttpxTransport(HttpClient):
    """What the twilio helper sends through. Made anew for each call, so that threads share nothing.

    ``answer`` is the last answer as it came, whatever the helper made of it (its exceptions carry no
    headers), and ``began`` whether a request was ever handed to httpx. The request itself is kept nowhere.
    """

    def __init__(
        self,
        http: httpx.Client,
        base_url: str,
        *,
        timeout: httpx.Timeout = TIMEOUT,
        deadline: float = DEADLINE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(logging.getLogger("twilio.http_client"), is_async=False)
        self._http = http
        self._base_url = base_url.rstrip("/") + "/"
        self._limits: dict[str, Any] = {"timeout": timeout, "deadline": deadline, "monotonic": monotonic}
        self.answer: Answer | None = None
        self.began = False
        _keep_addresses_out_of_logs()

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,  # noqa: FBT001, FBT002 - the helper's interface
    ) -> Response:
        """Make one request. Raises httpx's exceptions; past the deadline ConnectTimeout or ReadTimeout.

        ``timeout`` and ``allow_redirects`` are the helper's and stay unused. Raises ConfigurationError
        instead of sending the credentials to another host, which a page's link to the next one might name.
        """
        if not uri.startswith(self._base_url):
            raise ConfigurationError("Twilio's answer leads to another host: check TWILIO_API_URL")
        self.answer = None
        self.began = True
        arguments: dict[str, Any] = {
            "params": params or None,  # httpx takes {} as "no query" and drops the one of the URL
            "data": data or None,
            "auth": auth,
        }
        self.answer = exchange(self._http, method, uri, headers=headers, **self._limits, **arguments)
        return Response(self.answer.http_status, self.answer.text, self.answer.headers)


class _Deadline:
    """The end of a call, in seconds from now; at the end the connection is shut under whoever still reads.

    It holds a duplicate of the connection's socket, because TLS takes the first one away from its owner.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + seconds
        self._timer = Timer(seconds, self._cut)
        self._timer.daemon = True
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._over = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._hold(None)

    def check(self, *, only_if_cut: bool = False) -> None:
        """Raise ReadTimeout when the time is over: something was sent, so anything may have come of it."""
        if self._over or (self._passed() and not only_if_cut):
            raise httpx.ReadTimeout("the whole call took too long") from None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Follow the connection's progress (python-httpx.org/advanced/extensions/#trace)."""
        if event == "connection.connect_tcp.complete":
            connection: socket.socket = info["return_value"].get_extra_info("socket")
            self._hold(connection.dup())
            if self._over:
                self._cut()
        elif event.endswith("send_request_headers.started") and self._passed():
            raise httpx.ConnectTimeout("the call's time was over before anything was sent")

    def _passed(self) -> bool:
        return self._over or self._monotonic() >= self._end

    def _hold(self, connection: socket.socket | None) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = connection

    def _cut(self) -> None:
        self._over = True
        with self._lock, contextlib.suppress(OSError):  # the other side may have closed it already
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)


def _read(response: httpx.Response, deadline: _Deadline) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        deadline.check()
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise httpx.ReadError("the answer has no end")
    deadline.check(only_if_cut=True)  # a body that ends with its connection looks whole when it was cut
    return bytes(body)


class _WithoutQuery(logging.Filter):
    """Takes the query off the URLs that httpx logs: a list of messages is asked for by phone number."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                argument.copy_with(query=None) if isinstance(argument, httpx.URL) else argument
                for argument in record.args
            )
        return True


_WITHOUT_QUERY = _WithoutQuery()


def _keep_addresses_out_of_logs() -> None:
    logging.getLogger("httpx").addFilter(_WITHOUT_QUERY)  # adding it again changes nothing
    logging.getLogger("twilio.http_client").setLevel(logging.WARNING)  # logs queries at INFO
