"""Xero's accounting API and its token endpoint, as far as a notifier uses them."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.sandbox import xero_contacts, xero_documents, xero_payments, xero_settings
from deployments.sandbox.books import Books, Change
from deployments.sandbox.conditions import Conditions
from deployments.sandbox.idempotency import MisusedKeyError, Replies
from deployments.sandbox.inbound import not_modelled, pause
from deployments.sandbox.limits import Limits
from deployments.sandbox.wire import Json, envelope_date, write_json
from deployments.sandbox.xero_answers import (
    invalid,
    not_found,
    problem,
    refused_query,
    too_many,
    unauthorised,
    unreadable,
)
from deployments.sandbox.xero_auth import AccessToken, XeroAuth
from deployments.sandbox.xero_endpoint import (
    Answer,
    Asked,
    Endpoint,
    InvalidRecordError,
    UnknownRecordError,
    UnreadableBodyError,
)
from deployments.sandbox.xero_query import NotModelledError, QueryRefusedError

MAX_QUERY = 2048
_BASE = "/api.xro/2.0"


@dataclass
class XeroApi:
    """Answers from the tenants' books, after Xero's checks in Xero's order; ``rang`` hears of every write."""

    conditions: Conditions
    auth: XeroAuth
    limits: Limits
    tenants: dict[str, Books]
    rang: Callable[[Sequence[Change]], None]
    replies: Replies = field(default_factory=Replies)

    def routes(self) -> list[Route]:
        """Where each answer is found."""
        endpoints = [
            endpoint
            for part in (xero_settings, xero_documents, xero_payments, xero_contacts)
            for endpoint in part.endpoints()
        ]
        return [
            Route("/connect/token", self._token, methods=["POST"]),
            Route("/connect/revocation", self.auth.revocation, methods=["POST"]),
            *map(self._route, endpoints),
        ]

    def _route(self, endpoint: Endpoint) -> Route:
        async def answer(request: Request) -> Response:
            return await self._answer(request, endpoint)

        return Route(_BASE + endpoint.path, answer, methods=[endpoint.method])

    async def _token(self, request: Request) -> Response:
        await pause(request)
        return await self.auth.token(request)

    async def _answer(self, request: Request, endpoint: Endpoint) -> Response:
        # The web server in front refuses a long query before anything of Xero sees it: IIS 404.15, told as a
        # plain 404 (XeroAPI/Xero-Net#280).
        if len(request.scope["query_string"]) > MAX_QUERY:
            return not_found()
        token = self.auth.presented(request)
        if token is None or token.expires_at <= self.conditions.now():
            return unauthorised(token.expires_at if token else None)
        books = self._books(request, token)
        if books is None:
            return problem(403, "Forbidden", "AuthenticationUnsuccessful")
        if not endpoint.opened_by(token.scopes):
            return problem(401, "Unauthorized", "AuthorizationUnsuccessful")
        settings = self.conditions.settings
        refusal = self.limits.take(books.tenant_id, settings, self.conditions.now())
        told = self.limits.headers(books.tenant_id, settings)
        told["Date"] = format_datetime(self.conditions.now(), usegmt=True)
        if refusal is not None:
            return too_many(refusal, told)
        response = await self._in_flight(request, books, endpoint)
        response.headers.update(told)
        return response

    async def _in_flight(self, request: Request, books: Books, endpoint: Endpoint) -> Response:
        use = self.limits.of(books.tenant_id)
        use.in_flight += 1
        try:
            await pause(request)
            body = b"" if endpoint.method == "GET" else await request.body()
            return self._once(request, books, endpoint, body)
        finally:
            use.in_flight -= 1

    def _books(self, request: Request, token: AccessToken) -> Books | None:
        named = request.headers.get("xero-tenant-id", "").lower()
        if not named and token.custom:
            named = next(iter(self.tenants))
        books = self.tenants.get(named)
        if token.person and named not in {link.tenant_id for link in self.auth.people.of(token.person)}:
            return None
        return books if books is not None and books.connected else None

    def _once(self, request: Request, books: Books, endpoint: Endpoint, body: bytes) -> Response:
        """A read, or a write that its Idempotency-Key keeps from being done twice."""
        asked = Asked(request, books, self.conditions.now(), body)
        if endpoint.method == "GET":
            return self._read(asked, endpoint)
        try:
            known = self.replies.known(books.tenant_id, request, body, asked.now)
        except MisusedKeyError:
            return invalid("The Idempotency-Key is too long or was used with another request")
        if known is not None:
            return known
        response = self._read(asked, endpoint)
        self.replies.keep(books.tenant_id, request, body, asked.now, response)
        return response

    def _read(self, asked: Asked, endpoint: Endpoint) -> Response:
        try:
            answer = endpoint.reader(asked)
        except UnknownRecordError:
            return not_found()
        except NotModelledError as error:
            return not_modelled(str(error))
        except QueryRefusedError as error:
            return refused_query(str(error))
        except InvalidRecordError as error:
            return invalid(str(error))
        except UnreadableBodyError:
            return unreadable()
        self.rang(answer.changes)
        return self._envelope(asked.request, answer)

    def _envelope(self, request: Request, answer: Answer) -> Response:
        correlation = str(uuid.uuid4())
        headers = {"Xero-Correlation-Id": correlation}
        if not answer.plural:
            return Response(status_code=204, headers=headers)
        if "application/json" not in request.headers.get("accept", ""):
            # XML is what Xero answers by default (developer.xero.com, requests and responses).
            xml = f"<Response><Id>{correlation}</Id><Status>OK</Status></Response>"
            return Response(xml, headers=headers, media_type="text/xml")
        body: dict[str, Json] = {
            "Id": correlation,
            "Status": "OK",
            "ProviderName": "duebell-sandbox",
            "DateTimeUTC": envelope_date(self.conditions.now()),
        }
        if answer.pagination is not None:
            body["pagination"] = answer.pagination
        body[answer.plural] = answer.rows
        return Response(write_json(body), headers=headers, media_type="application/json; charset=utf-8")
