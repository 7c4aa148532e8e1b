"""Xero's accounting API and its list of connections, as far as a notifier reads them."""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sandbox.books import Books
from deployments.sandbox.conditions import Conditions
from deployments.sandbox.inbound import not_modelled, pause
from deployments.sandbox.limits import Limits
from deployments.sandbox.wire import Json, Record, envelope_date, record_of, text_of, write_json
from deployments.sandbox.xero_answers import connection, not_found, problem, too_many
from deployments.sandbox.xero_auth import AccessToken, XeroAuth
from deployments.sandbox.xero_query import (
    NotModelledError,
    Page,
    QueryRefusedError,
    changed_since,
    chosen,
    listed,
    modified_since,
    ordered,
    page_of,
    parameters,
    truth,
)
from deployments.sandbox.xero_views import listed_contact, listed_invoice, single_contact, single_invoice

MAX_QUERY = 2048
_INVOICE_QUERY = frozenset({"IDs", "InvoiceNumbers", "ContactIDs", "Statuses", "page", "pageSize", "order",
                            "includeArchived"})  # fmt: skip
_CONTACT_QUERY = frozenset({"IDs", "page", "pageSize", "order", "includeArchived"})


class UnknownRecordError(Exception):
    """No such record: Xero answers with an HTML page."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The plural's name, its records, and the page where paging was asked for."""

    plural: str
    rows: list[Record]
    pagination: Record | None = None


Reader = Callable[[Request, Books], Answer]


@dataclass
class XeroApi:
    """Answers from the tenants' books, after Xero's checks in Xero's order."""

    conditions: Conditions
    auth: XeroAuth
    limits: Limits
    tenants: dict[str, Books]

    def routes(self) -> list[Route]:
        """Where each answer is found."""
        invoices, contacts = "accounting.invoices", "accounting.contacts"
        base = "/api.xro/2.0"
        return [
            Route("/connect/token", self._token, methods=["POST"]),
            Route("/connections", self._connections, methods=["GET"]),
            self._route(f"{base}/Organisation", "accounting.settings", self._organisation),
            self._route(f"{base}/Invoices", invoices, self._invoices),
            self._route(f"{base}/Invoices/{{record_id}}", invoices, self._invoice),
            self._route(f"{base}/Invoices/{{record_id}}/OnlineInvoice", invoices, self._online_invoice),
            self._route(f"{base}/Contacts", contacts, self._contacts),
            self._route(f"{base}/Contacts/{{record_id}}", contacts, self._contact),
        ]

    def _route(self, path: str, scope: str, reader: Reader) -> Route:
        async def answer(request: Request) -> Response:
            return await self._answer(request, scope, reader)

        return Route(path, answer, methods=["GET"])

    async def _token(self, request: Request) -> Response:
        await pause(request)
        return await self.auth.token(request)

    async def _connections(self, request: Request) -> Response:
        await pause(request)
        token = self.auth.presented(request)
        if token is None or token.expires_at <= self.conditions.now():
            return self._unauthorised(token)
        return JSONResponse([connection(books) for books in self.tenants.values() if books.connected])

    async def _answer(self, request: Request, scope: str, reader: Reader) -> Response:
        # The web server in front refuses a long query before anything of Xero sees it: IIS 404.15, told as a
        # plain 404 (XeroAPI/Xero-Net#280).
        if len(request.scope["query_string"]) > MAX_QUERY:
            return not_found()
        token = self.auth.presented(request)
        if token is None or token.expires_at <= self.conditions.now():
            return self._unauthorised(token)
        books = self._books(request, token)
        if books is None:
            return problem(403, "Forbidden", "AuthenticationUnsuccessful")
        if not {scope, f"{scope}.read"} & token.scopes:
            return problem(401, "Unauthorized", "AuthorizationUnsuccessful")
        settings = self.conditions.settings
        refusal = self.limits.take(books.tenant_id, settings, self.conditions.now())
        told = self.limits.headers(books.tenant_id, settings)
        if refusal is not None:
            return too_many(refusal, told)
        use = self.limits.of(books.tenant_id)
        use.in_flight += 1
        try:
            await pause(request)
            response = self._read(request, books, reader)
        finally:
            use.in_flight -= 1
        response.headers.update(told)
        return response

    def _books(self, request: Request, token: AccessToken) -> Books | None:
        named = request.headers.get("xero-tenant-id", "").lower()
        if not named and token.custom:
            named = next(iter(self.tenants))
        books = self.tenants.get(named)
        return books if books is not None and books.connected else None

    def _read(self, request: Request, books: Books, reader: Reader) -> Response:
        try:
            return self._envelope(request, reader(request, books))
        except UnknownRecordError:
            return not_found()
        except NotModelledError as error:
            return not_modelled(str(error))
        except QueryRefusedError:
            refused: Record = {"ErrorNumber": 16, "Type": "QueryParseException", "Message": "Invalid value"}
            return Response(write_json(refused), 400, media_type="application/json")

    def _envelope(self, request: Request, answer: Answer) -> Response:
        correlation = str(uuid.uuid4())
        headers = {"Xero-Correlation-Id": correlation}
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

    def _organisation(self, request: Request, books: Books) -> Answer:
        parameters(request, ())
        return Answer("Organisations", [books.organisation])

    def _invoices(self, request: Request, books: Books) -> Answer:
        query = parameters(request, _INVOICE_QUERY)
        truth(query, "includeArchived")
        page = page_of(query, forced="Statuses" in query)
        rows = changed_since(books.invoices.values(), modified_since(request))
        for name, parameter in (
            ("InvoiceID", "IDs"),
            ("InvoiceNumber", "InvoiceNumbers"),
            ("Status", "Statuses"),
        ):
            rows = chosen(rows, name, listed(query, parameter))
        contacts = listed(query, "ContactIDs")
        if contacts is not None:
            rows = [row for row in rows if text_of(record_of(row["Contact"]), "ContactID") in contacts]
        rows = ordered(rows, query.get("order"), "InvoiceID")
        paged = page.number is not None
        return _page("Invoices", page, rows, lambda row: listed_invoice(row, paged=paged))

    def _invoice(self, request: Request, books: Books) -> Answer:
        parameters(request, ())
        asked = str(request.path_params["record_id"])
        by_number = {text_of(row, "InvoiceNumber"): row for row in books.invoices.values()}
        record = books.invoices.get(asked.lower()) or by_number.get(asked)
        if record is None:
            raise UnknownRecordError(asked)
        return Answer("Invoices", [single_invoice(record, books)])

    def _online_invoice(self, request: Request, books: Books) -> Answer:
        parameters(request, ())
        asked = str(request.path_params["record_id"]).lower()
        record = books.invoices.get(asked)
        # Only a sales invoice that was approved has one (XeroAPI/xero-php-oauth2#207).
        if record is None or text_of(record, "Type") != "ACCREC" or text_of(record, "Status") == "DRAFT":
            raise UnknownRecordError(asked)
        token = hashlib.sha256(asked.encode()).hexdigest()[:40]
        return Answer("OnlineInvoices", [{"OnlineInvoiceUrl": f"https://in.xero.com/{token}"}])

    def _contacts(self, request: Request, books: Books) -> Answer:
        query = parameters(request, _CONTACT_QUERY)
        page = page_of(query, forced=False)
        rows = changed_since(books.contacts.values(), modified_since(request))
        rows = chosen(rows, "ContactID", listed(query, "IDs"))
        if not truth(query, "includeArchived"):
            rows = chosen(rows, "ContactStatus", frozenset({"active"}))
        rows = ordered(rows, query.get("order"), "ContactID")
        paged, now = page.number is not None, self.conditions.now()
        return _page("Contacts", page, rows, lambda row: listed_contact(row, books, now, paged=paged))

    def _contact(self, request: Request, books: Books) -> Answer:
        parameters(request, ())
        asked = str(request.path_params["record_id"]).lower()
        if asked not in books.contacts:
            raise UnknownRecordError(asked)
        return Answer("Contacts", [single_contact(books.contacts[asked], books)])

    def _unauthorised(self, token: AccessToken | None) -> Response:
        if token is None:
            return problem(401, "Unauthorized", "AuthenticationUnsuccessful")
        ended = token.expires_at.strftime("%m/%d/%Y %H:%M:%S")
        return problem(401, "Unauthorized", f"TokenExpired: token expired at {ended}")


def _page(plural: str, page: Page, rows: list[Record], view: Callable[[Record], Record]) -> Answer:
    if page.number is None:
        return Answer(plural, [view(row) for row in rows])
    return Answer(plural, [view(row) for row in page.cut(rows)], page.told(len(rows)))
