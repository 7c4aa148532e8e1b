"""Xero's answers that are not records of the books."""

import uuid
from datetime import datetime

from starlette.responses import JSONResponse, Response

from deployments.sandbox.books import Books
from deployments.sandbox.limits import Refusal
from deployments.sandbox.wire import Record, text_of, write_json


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


def unauthorised(ended: datetime | None) -> Response:
    """The refusal of a token that was never given out, or that is over since ``ended``."""
    if ended is None:
        return problem(401, "Unauthorized", "AuthenticationUnsuccessful")
    told = ended.strftime("%m/%d/%Y %H:%M:%S")
    return problem(401, "Unauthorized", f"TokenExpired: token expired at {told}")


def not_found() -> Response:
    """Xero's page for what it cannot find; it is not JSON."""
    return Response("The resource you're looking for cannot be found", 404, media_type="text/html")


def refused_query(message: str) -> Response:
    """A ``where``, an order or a page that Xero cannot read."""
    return _exception({"ErrorNumber": 16, "Type": "QueryParseException", "Message": message})


def unreadable() -> Response:
    """A body that is not the JSON that Xero wants."""
    message = "JSON for post data was invalid"
    return _exception({"ErrorNumber": 14, "Type": "PostDataInvalidException", "Message": message})


def invalid(message: str) -> Response:
    """A record that Xero does not take."""
    body: Record = {"ErrorNumber": 10, "Type": "ValidationException"}
    told: Record = {"Message": message}
    element: Record = {"ValidationErrors": [told]}
    return _exception(body | {"Message": "A validation exception occurred", "Elements": [element]})


def _exception(body: Record) -> Response:
    return Response(write_json(body), 400, media_type="application/json")


def too_many(refusal: Refusal, told: dict[str, str]) -> Response:
    """A refusal by a limit: all that counts is in the headers."""
    headers = told | {"X-Rate-Limit-Problem": refusal.problem}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return Response("", 429, headers=headers, media_type="text/plain")
