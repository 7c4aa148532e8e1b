"""Every request that leaves is what Xero reads, and every answer that comes is told apart."""

import json
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import parse_qsl
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from duebell.errors import BadAnswer, Permanent, RateLimited, RecordNotFound, TokenExpired, Transient
from duebell.model import Connection
from duebell.xero.answers import CallMade, Limits
from duebell.xero.client import XeroClient
from duebell.xero.queries import invoices_query

TENANT_ID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
Handler = Callable[[httpx.Request], httpx.Response]


def an_id(number: int) -> str:
    return str(UUID(int=number))


@dataclass
class Xero:
    """A Xero that remembers what it was asked, whether at pace, and what its caller was told of its calls."""

    handler: Handler
    asked: list[httpx.Request] = field(default_factory=list[httpx.Request])
    pacing: int = 0
    unpaced: int = 0
    calls: list[CallMade] = field(default_factory=list[CallMade])

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        self.unpaced += self.pacing != 1
        return self.handler(request)

    @contextmanager
    def pace(self) -> Generator[None]:
        self.pacing += 1
        yield
        self.pacing -= 1

    def client(self) -> XeroClient:
        pace: Callable[[], AbstractContextManager[None]] = self.pace
        http = httpx.Client(transport=httpx.MockTransport(self.answer))
        token = SecretStr("a.test.token")
        return XeroClient(http, "https://api.xero.test/", lambda: token, TENANT_ID, pace, self.calls.append)


def envelope(**lists: object) -> Handler:
    return lambda request: httpx.Response(200, json={"DateTimeUTC": "/Date(1588633397422)/", **lists})


def all_that_were_asked_for(request: httpx.Request) -> httpx.Response:
    plural = request.url.path.rsplit("/", 1)[-1]
    key = {"Invoices": "InvoiceID", "Contacts": "ContactID"}[plural]
    ids = request.url.params["IDs"].split(",")
    return httpx.Response(200, json={plural: [{key: asked} for asked in ids]})


def test_many_invoices_are_read_fifty_a_call_in_one_reading() -> None:
    xero = Xero(all_that_were_asked_for)
    ids = [an_id(number) for number in range(120)]
    found = xero.client().invoices(ids)
    assert [record.value.invoice_id for record in found.good] == ids
    assert [len(request.url.params["IDs"].split(",")) for request in xero.asked] == [50, 50, 20]
    assert xero.asked[0].url.query == invoices_query(ids[:50]).encode()
    assert (found.missing, found.bad, xero.unpaced, xero.pacing) == ((), (), 0, 0)


def test_contacts_are_asked_for_with_the_archived_ones() -> None:
    xero = Xero(all_that_were_asked_for)
    assert len(xero.client().contacts([an_id(number) for number in range(51)]).good) == 51
    assert [request.url.params["includeArchived"] for request in xero.asked] == ["true", "true"]


def test_no_ids_make_no_call() -> None:
    xero = Xero(all_that_were_asked_for)
    assert xero.client().invoices([]).good == xero.client().contacts([]).good == ()
    assert xero.asked == []


def test_ids_that_do_not_come_back_are_missing_and_those_nobody_asked_for_are_dropped() -> None:
    invoices = [{"InvoiceID": an_id(1)}, {"InvoiceID": an_id(2), "Total": "x"}, {"InvoiceID": an_id(9)}]
    found = Xero(envelope(Invoices=invoices)).client().invoices([an_id(3), an_id(2), an_id(1)])
    assert [record.value.invoice_id for record in found.good] == [an_id(1)]
    assert [bad.record_id for bad in found.bad] == [an_id(2)]
    assert found.missing == (an_id(3),)
    assert found.read_at == datetime(2020, 5, 4, 23, 3, 17, 422000, UTC)


def test_one_bad_record_does_not_spoil_the_page() -> None:
    invoices = [{"InvoiceID": an_id(1)}, None, {"Total": 5}, {"InvoiceID": an_id(2), "DueDate": "?"}]
    found = (
        Xero(envelope(Invoices=invoices, pagination={"pageCount": 3, "itemCount": 2004}))
        .client()
        .invoice_page(1)
    )
    assert len(found.good) == 1
    assert [(bad.record_id, bad.reason) for bad in found.bad] == [
        ("", "Invoice is not an object"),
        ("", "Invoice.InvoiceID is not present"),
        (an_id(2), "Invoice.DueDate is not a calendar date"),
    ]
    assert (found.page_count, found.item_count) == (3, 2004)


def test_an_id_that_is_no_uuid_never_reaches_xero() -> None:
    xero = Xero(all_that_were_asked_for)
    for hostile in ("", "INV-1", f"{an_id(1)}&where=1", f"{an_id(1)}/../Contacts", f"{an_id(1)}\n"):
        with pytest.raises(Permanent, match=r"^1 of 1 record ids are not UUIDs$"):
            xero.client().invoice(hostile)
        for ask in (xero.client().invoices, xero.client().contacts):
            with pytest.raises(Permanent, match=r"^1 of 2 record ids are not UUIDs$"):
                ask([an_id(1), hostile])
    assert xero.asked == []


def test_a_single_invoice_that_xero_does_not_know_is_not_found() -> None:
    xero = Xero(lambda request: httpx.Response(404, html="<p>cannot be found</p>"))
    with pytest.raises(RecordNotFound):
        xero.client().invoice(an_id(1))
    with pytest.raises(BadAnswer):
        xero.client().invoices([an_id(1)])


def every_request() -> list[httpx.Request]:
    def anything(request: httpx.Request) -> httpx.Response:
        found: dict[str, list[object]] = {name: [] for name in ("Invoices", "Contacts", "Payments")}
        found["Organisations"] = [{"Name": "A"}]
        return httpx.Response(200, json=[] if request.url.path == "/connections" else found)

    xero = Xero(anything)
    client, since = xero.client(), datetime(2026, 11, 22, tzinfo=UTC)
    client.invoice(an_id(1))
    client.invoices([an_id(1)])
    client.contacts([an_id(1)])
    client.invoice_page(1)
    client.invoice_page(2, 100, modified_since=since, statuses=("AUTHORISED", "PAID"))
    client.invoice_page(1, statuses=("AUTHORISED",), sales_only=True)
    client.contact_page(1, modified_since=since)
    client.payment_page(1, modified_since=since)
    client.organisation()
    client.connections()
    assert (len(xero.asked), xero.unpaced) == (10, 0)
    return xero.asked


def test_every_request_uses_only_what_xeros_interface_describes(samples: Path) -> None:
    operations = json.loads((samples / "openapi" / "xero.json").read_text())["ops"]
    for request in every_request():
        path = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "{InvoiceID}", request.url.path)
        operation = operations[f"{request.method} {path}"]
        sent = [
            name for name, _ in parse_qsl(request.url.query.decode(), strict_parsing=bool(request.url.query))
        ]
        ours = {"authorization", "accept", "accept-encoding", "user-agent", "host"}
        assert set(sent) <= set(operation.get("q", []))
        assert set(request.headers) - ours <= {name.lower() for name in operation.get("h", [])}


def test_every_request_asks_for_json_and_only_connections_names_no_tenant() -> None:
    for request in every_request():
        assert request.headers["accept"] == "application/json"
        assert request.headers["authorization"] == "Bearer a.test.token"
        assert ("xero-tenant-id" in request.headers) == (request.url.path != "/connections")


def test_what_changed_since_is_asked_for_in_utc_to_the_second_and_nothing_is_an_empty_page() -> None:
    xero = Xero(lambda request: httpx.Response(304))
    local = datetime(2026, 11, 22, 13, 0, 0, 999, timezone(timedelta(hours=13)))
    assert xero.client().invoice_page(1, modified_since=local).good == ()
    assert xero.asked[0].headers["if-modified-since"] == "2026-11-22T00:00:00"
    assert xero.asked[0].url.params["order"] == "UpdatedDateUTC"
    with pytest.raises(BadAnswer):
        xero.client().invoice_page(1)


def test_every_call_of_the_tenant_is_told_of_refused_and_failed_ones_too() -> None:
    headers = {
        "X-MinLimit-Remaining": "0",
        "X-DayLimit-Remaining": "4539",
        "X-Rate-Limit-Problem": "minute",
        "Retry-After": "22",
    }
    xero = Xero(lambda request: httpx.Response(429, headers=headers))
    with pytest.raises(RateLimited) as limited:
        xero.client().organisation()
    assert (limited.value.problem, limited.value.retry_after) == ("minute", 22.0)
    (told,) = xero.calls
    assert (told.path, told.limits) == ("/api.xro/2.0/Organisation", Limits(0, 4_539))
    assert told.refused is limited.value or str(told.refused) == str(limited.value)

    def cut(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("no answer", request=request)

    lost = Xero(cut)
    with pytest.raises(Transient):
        lost.client().invoice_page(1)
    assert lost.calls == [CallMade("/api.xro/2.0/Invoices")]


def test_what_is_asked_of_no_tenant_counts_for_none() -> None:
    silent = Xero(lambda request: httpx.Response(200, json=[]))
    silent.client().connections()
    assert silent.calls == []


REMINDERS: list[tuple[list[dict[str, object]], bool | None]] = [
    ([{"Enabled": True}], True),
    ([{"Enabled": False}], False),
    ([], None),
    ([{}], None),
    ([{"Enabled": 1}], None),
]


@pytest.mark.parametrize(("body", "told"), REMINDERS)
def test_whether_xero_reminds_is_read_and_unknown_where_it_does_not_say(
    body: list[object],
    told: bool | None,  # noqa: FBT001 - a case of the table
) -> None:
    assert Xero(envelope(InvoiceReminders=body)).client().sends_reminders() is told


def test_an_expired_token_is_said_and_not_retried() -> None:
    xero = Xero(lambda request: httpx.Response(401, json={"Detail": "TokenExpired: token expired"}))
    with pytest.raises(TokenExpired):
        xero.client().invoice_page(1)
    assert len(xero.asked) == 1


def test_the_organisation_and_the_connections_are_read() -> None:
    organisations = [{"Name": "Harbour", "Timezone": "NEWZEALANDSTANDARDTIME", "CountryCode": "NZ"}]
    organisation = Xero(envelope(Organisations=organisations)).client().organisation()
    assert (organisation.name, organisation.timezone) == ("Harbour", "Pacific/Auckland")
    assert organisation.read_at == datetime(2020, 5, 4, 23, 3, 17, 422000, UTC)
    connection = {"id": an_id(1), "tenantId": an_id(2), "tenantType": "ORGANISATION", "tenantName": "Harbour"}
    found = Xero(lambda request: httpx.Response(200, json=[connection])).client().connections()
    assert found == (Connection(an_id(1), an_id(2), "ORGANISATION", "Harbour"),)


WRONG_SHAPES: Sequence[object] = [
    None,
    5,
    "text",
    [],
    {},
    {"Invoices": None},
    {"Invoices": {}},
    {"Organisations": []},
]


@pytest.mark.parametrize("shape", WRONG_SHAPES)
def test_an_answer_of_another_shape_is_a_bad_answer(shape: object) -> None:
    client = Xero(lambda request: httpx.Response(200, content=json.dumps(shape))).client()
    for ask in (lambda: client.invoice_page(1), lambda: client.invoice(an_id(1)), client.organisation):
        with pytest.raises(BadAnswer):
            ask()


def test_a_connection_list_of_another_shape_is_a_bad_answer() -> None:
    for shape in ({"id": an_id(1)}, [5], [{"id": an_id(1)}]):
        with pytest.raises(BadAnswer):
            Xero(lambda request, shape=shape: httpx.Response(200, json=shape)).client().connections()
