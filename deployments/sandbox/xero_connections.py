"""``/connections``: which organisations a token opens, and ending one."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sandbox.books import Books
from deployments.sandbox.conditions import Conditions
from deployments.sandbox.inbound import pause
from deployments.sandbox.xero_answers import connection, problem, unauthorised
from deployments.sandbox.xero_auth import AccessToken, XeroAuth


@dataclass
class XeroConnections:
    """The connections of a custom connection, or those that one person made."""

    conditions: Conditions
    auth: XeroAuth
    tenants: dict[str, Books]

    def routes(self) -> list[Route]:
        """Where they are found."""
        return [
            Route("/connections", self._list, methods=["GET"]),
            Route("/connections/{connection_id}", self._close, methods=["DELETE"]),
        ]

    async def _list(self, request: Request) -> Response:
        await pause(request)
        token = self.auth.presented(request)
        if token is None or token.expires_at <= self.conditions.now():
            return unauthorised(token.expires_at if token else None)
        rows = self._rows(token)
        wanted = request.query_params.get("authEventId")
        return JSONResponse([row for row in rows if wanted in (None, row["authEventId"])])

    def _rows(self, token: AccessToken) -> list[dict[str, str]]:
        open_books = {key: books for key, books in self.tenants.items() if books.connected}
        if not token.person:
            return [connection(books) for books in open_books.values()]
        return [
            connection(open_books[link.tenant_id])
            | {"id": link.connection_id, "authEventId": link.auth_event_id}
            for link in self.auth.people.of(token.person)
            if link.tenant_id in open_books
        ]

    async def _close(self, request: Request) -> Response:
        """By the connection's id; a tenant's id is a stranger's and forbidden (XeroAPI/xero-node#403)."""
        token = self.auth.presented(request)
        if token is None or token.expires_at <= self.conditions.now():
            return unauthorised(token.expires_at if token else None)
        connection_id = str(request.path_params["connection_id"])
        if token.person:
            closed = self.auth.people.close(token.person, connection_id)
        else:
            found = [books for books in self.tenants.values() if books.connection_id == connection_id]
            for books in found:
                books.connected = False
            closed = bool(found)
        return (
            Response(status_code=204) if closed else problem(403, "Forbidden", "AuthenticationUnsuccessful")
        )
