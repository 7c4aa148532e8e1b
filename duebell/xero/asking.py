"""One paced request of a tenant to Xero's interface, counted, and its answer or the error that it is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

import httpx
from pydantic import SecretStr

from duebell.errors import Transient
from duebell.xero import queries
from duebell.xero.answers import CallMade, Sent, call_made, problem_of
from duebell.xero.transfer import USER_AGENT, Answer, Bounds, exchange

Pace = Callable[[], AbstractContextManager[None]]
"""Entered around every single request; waits until one more is allowed."""

ACCOUNTING = "/api.xro/2.0"


class Asker:
    """Makes a tenant's requests; what its parts mean is told at ``XeroClient``."""

    def __init__(
        self,
        http: httpx.Client,
        api_url: str,
        access_token: Callable[[], SecretStr],
        tenant_id: str,
        pace: Pace,
        on_call: Callable[[CallMade], None],
        bounds: Bounds,
    ) -> None:
        self._http = http
        self._api_url = api_url.rstrip("/")
        self._access_token = access_token
        self._tenant_id = tenant_id
        self._pace = pace
        self._on_call = on_call
        self._bounds = bounds

    def ask(
        self,
        path: str,
        query: str = "",
        *,
        modified_since: datetime | None = None,
        one_record: bool = False,
        of_tenant: bool = True,
    ) -> Answer:
        """One paced GET. Raises what ``problem_of`` finds."""
        url = f"{self._api_url}{path}" + (f"?{query}" if query else "")
        sent = Sent(f"GET {path}", len(query), one_record=one_record)
        with self._pace():
            headers = self._headers(modified_since, of_tenant=of_tenant)
            answer = self._counted(
                path, httpx.Request("GET", url, headers=headers), sent, of_tenant=of_tenant
            )
        if answer.status == 304 and modified_since:
            return answer  # nothing changed since
        problem = problem_of(answer, sent)
        if problem:
            raise problem
        return answer

    def change(self, method: str, path: str, content: bytes = b"") -> Answer:
        """One paced request that changes one record. Raises what ``problem_of`` finds."""
        sent = Sent(f"{method} {path}", one_record=True)
        with self._pace():
            headers = self._headers(None, of_tenant=True)
            if content:
                headers["Content-Type"] = "application/json"
            request = httpx.Request(method, f"{self._api_url}{path}", headers=headers, content=content)
            answer = self._counted(path, request, sent, of_tenant=True)
        problem = None if answer.status == 204 else problem_of(answer, sent)
        if problem:
            raise problem
        return answer

    def _counted(self, path: str, request: httpx.Request, sent: Sent, *, of_tenant: bool) -> Answer:
        """The answer to a request, made known to whoever counts. What is of no tenant counts for none."""
        try:
            answer = exchange(self._http, request, self._bounds)
        except Transient:
            if of_tenant:
                self._on_call(CallMade(path))  # Xero may have counted it, though we saw no answer
            raise
        if of_tenant:
            self._on_call(call_made(path, answer, sent))
        return answer

    def _headers(self, modified_since: datetime | None, *, of_tenant: bool) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._access_token().get_secret_value()}",
            "Accept": "application/json",  # Xero's default is XML
            "Accept-Encoding": "gzip",
            "User-Agent": USER_AGENT,
            **({"xero-tenant-id": self._tenant_id} if of_tenant else {}),
            **(queries.if_modified_since(modified_since) if modified_since else {}),
        }
