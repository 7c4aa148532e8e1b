"""JSON over httpx to one email provider: one request a call, and never to another host."""

import json
import time
from collections.abc import Callable, Generator, Mapping
from typing import cast

import httpx

from duebell.email.refusals import ruling_of_refusal
from duebell.errors import Transient
from duebell.twilio.client import reading_error
from duebell.twilio.outcome import (
    TWILIO,
    Accepted,
    Answer,
    SendOutcome,
    Unknown,
    classify_exception,
    classify_failure,
)
from duebell.twilio.transport import DEADLINE, TIMEOUT, base_url, exchange


class EmailWire:
    """One provider's address and credentials. Every request ends within ``deadline`` seconds.

    ``provider`` and ``mend`` are for the texts of errors, ``refuses_as`` names it in the reasons of its
    refusals. Raises ConfigurationError for a URL that cannot work.
    """

    def __init__(
        self,
        http: httpx.Client,
        url: str,
        authorization: httpx.Auth,
        *,
        provider: str,
        variable: str,
        mend: str,
        refuses_as: str = TWILIO,
        timeout: httpx.Timeout = TIMEOUT,
        deadline: float = DEADLINE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._base_url = base_url(url, variable)
        self._authorization = authorization
        self._provider = provider
        self._mend = mend
        self._refuses_as = refuses_as
        self._timeout = timeout
        self._deadline = deadline
        self._monotonic = monotonic

    def send(
        self, path: str, body: Mapping[str, object], accepted: Callable[[Answer], Accepted | Unknown]
    ) -> SendOutcome:
        """POST one email, once, and say what came of it; ``accepted`` reads an answer of success.

        Raises only what happens before the POST.
        """
        content = json.dumps(body, ensure_ascii=False).encode()
        try:
            answer = self._exchange("POST", path, content)
        except Exception as exc:  # noqa: BLE001 -- however a POST ends, an email may exist: it has an outcome
            return classify_exception(exc)
        if 200 <= answer.http_status < 300:
            return accepted(answer)
        return classify_failure(answer, ruling_of_refusal, self._refuses_as)

    def _exchange(
        self, method: str, path: str, body: bytes | None, query: Mapping[str, str] | None = None
    ) -> Answer:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return exchange(
            self._http,
            method,
            self._base_url + path,
            headers=headers,
            timeout=self._timeout,
            deadline=self._deadline,
            monotonic=self._monotonic,
            auth=self._authorization,
            content=body,
            params=query or None,
        )

    def read(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, object] | list[object]:
        """Make a call that may be repeated, and read the JSON of its answer.

        Raises ConfigurationError, RecordNotFound, RateLimited, Transient, Permanent or BadAnswer, without
        the provider's words.
        """
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        try:
            answer = self._exchange(method, path, content, query)
        except httpx.HTTPError as exc:
            raise Transient(f"{self._provider} could not be read: {type(exc).__name__}") from None
        found = _json_of(answer) if 200 <= answer.http_status < 300 else None
        if found is None:
            raise reading_error(answer, self._provider, self._mend)
        return found


class Bearer(httpx.Auth):
    """An API key as HTTP's bearer. It is kept out of ``repr``, as httpx keeps its own."""

    def __init__(self, key: str) -> None:
        self._header = f"Bearer {key}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the key into a request."""
        request.headers["Authorization"] = self._header
        yield request


def _json_of(answer: Answer) -> dict[str, object] | list[object] | None:
    try:
        found: object = json.loads(answer.text)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object] | list[object]", found) if isinstance(found, dict | list) else None
