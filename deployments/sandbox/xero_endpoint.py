"""What one endpoint of Xero's accounting API is made of, and what it may answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from deployments.sandbox.books import Books, Change
from deployments.sandbox.wire import Record, read_json, record_of, records_of, text_of
from deployments.sandbox.xero_query import Page, changed_since, modified_since, ordered, parameters
from deployments.sandbox.xero_where import Fields, predicate


class UnknownRecordError(Exception):
    """No such record: Xero answers with an HTML page."""


class InvalidRecordError(Exception):
    """What was sent cannot be kept: 400, ``ValidationException``, with this message."""


class UnreadableBodyError(Exception):
    """What was sent is not the JSON that Xero wants: 400, ``PostDataInvalidException``."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that passed Xero's checks: of whose books, when, and with which body."""

    request: Request
    books: Books
    now: datetime
    body: bytes = b""

    def path_id(self, name: str = "record_id") -> str:
        """An id of the path, in the case that ids are kept in."""
        return str(self.request.path_params[name]).lower()

    def query(self, *known: str) -> dict[str, str]:
        """The query's parameters, of which only these are known."""
        return parameters(self.request, known)

    def rows(self, plural: str) -> list[Record]:
        """The records that were sent. Raises ``UnreadableBodyError``."""
        try:
            value = read_json(self.body)
        except ValueError:
            raise UnreadableBodyError from None
        found = records_of(record_of(value).get(plural))
        if not found:
            raise UnreadableBodyError
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """The plural's name, its records, the page where paging was asked for, and what was changed.

    No plural is an answer without content.
    """

    plural: str = ""
    rows: Sequence[Record] = ()
    pagination: Record | None = None
    changes: Sequence[Change] = ()


Reader = Callable[[Asked], Answer]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path below ``/api.xro/2.0``, and the granular scope that opens it."""

    path: str
    scope: str
    reader: Reader
    method: str = "GET"

    def opened_by(self, scopes: frozenset[str]) -> bool:
        """Whether a token of these scopes may call it; ``.read`` opens no write."""
        return self.scope in scopes or (self.method == "GET" and f"{self.scope}.read" in scopes)


@dataclass(frozen=True, slots=True)
class Listing:
    """How the lists of one kind are filtered and ordered; ``orders`` are field names, the id first."""

    plural: str
    fields: Fields
    orders: Sequence[str]

    def chosen(self, asked: Asked, query: Mapping[str, str], rows: Sequence[Record]) -> list[Record]:
        """The rows that ``where`` and ``If-Modified-Since`` leave, in the asked order."""
        found = changed_since(rows, modified_since(asked.request))
        if query.get("where"):
            fits = predicate(query["where"], self.fields, self.plural.removesuffix("s"))
            found = [row for row in found if fits(row)]
        return ordered(found, query.get("order"), self.orders)

    def answer(self, page: Page, rows: Sequence[Record], view: Callable[[Record], Record]) -> Answer:
        """The page of these rows, or all of them where nobody asked for paging."""
        if page.number is None:
            return Answer(self.plural, [view(row) for row in rows])
        return Answer(self.plural, [view(row) for row in page.cut(rows)], page.told(len(rows)))


def found_in(shelf: Mapping[str, Record], record_id: str) -> Record:
    """The record of an id. Raises ``UnknownRecordError``."""
    if record_id not in shelf:
        raise UnknownRecordError(record_id)
    return shelf[record_id]


def sent_ids(rows: Sequence[Record], name: str) -> list[str]:
    """The ids that the sent records name, in the case that ids are kept in."""
    return [text_of(row, name).lower() for row in rows]
