"""Xero's answers that are not records of the books."""

import uuid

from starlette.responses import JSONResponse, Response

from deployments.sandbox.books import Books
from deployments.sandbox.limits import Refusal
from deployments.sandbox.wire import text_of


def connection(books: Books) -> dict[str, str]:
    """One row of ``GET /connections``."""
    # Xero writes these times without a zone and with seven decimals.
    at = books.connected_at.strftime("%Y-%m-%dT%H:%M:%S.%f0")
    return {
        "id": books.connection_id,
        "authEventId": str(uuid.uuid5(uuid.UUID(books.connection_id), "authEvent")),
        "tenantId": books.tenant_id,
        "tenantType": "ORGANISATION",
        "tenantName": text_of(books.organisation, "Name"),
        "createdDateUtc": at,
        "updatedDateUtc": at,
    }


def problem(status: int, title: str, detail: str) -> Response:
    """A refusal as Xero's gateway words it."""
    body: dict[str, object] = {"Type": None, "Title": title, "Status": status, "Detail": detail}
    return JSONResponse(body | {"Instance": str(uuid.uuid4()), "Extensions": {}}, status_code=status)


def not_found() -> Response:
    """Xero's page for what it cannot find; it is not JSON."""
    return Response("The resource you're looking for cannot be found", 404, media_type="text/html")


def too_many(refusal: Refusal, told: dict[str, str]) -> Response:
    """A refusal by a limit: all that counts is in the headers."""
    headers = told | {"X-Rate-Limit-Problem": refusal.problem}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return Response("", 429, headers=headers, media_type="text/plain")
