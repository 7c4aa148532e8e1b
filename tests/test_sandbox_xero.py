"""The sandbox's Xero is as strict as Xero."""

import json
import ssl
import threading
from collections.abc import Iterator
from datetime import date
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_types import InvoiceSummary
from deployments.sandbox.credentials import TENANT_ID, XERO_CLIENT_ID, XERO_CLIENT_SECRET

READ = "accounting.invoices.read accounting.contacts.read accounting.settings.read"
TLS = ssl.create_default_context()  # made once, because each client would make its own, slowly
INVOICES = "/api.xro/2.0/Invoices"


def token_answer(
    sandbox: SandboxControl, basic: tuple[str, str] | None = (XERO_CLIENT_ID, XERO_CLIENT_SECRET), **form: str
) -> httpx.Response:
    return httpx.post(f"{sandbox.base_url}/connect/token", data=form, auth=basic, verify=TLS, timeout=60)


def access(sandbox: SandboxControl, scope: str = READ) -> str:
    answer = token_answer(sandbox, grant_type="client_credentials", scope=scope)
    assert answer.status_code == 200
    return answer.json()["access_token"]


@pytest.fixture
def xero(sandbox: SandboxControl) -> Iterator[httpx.Client]:
    headers = {
        "Authorization": f"Bearer {access(sandbox)}",
        "Accept": "application/json",
        "Xero-Tenant-Id": TENANT_ID,
    }
    with httpx.Client(base_url=sandbox.base_url, headers=headers, verify=TLS, timeout=60) as client:
        yield client


def rows(answer: httpx.Response, plural: str = "Invoices") -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return answer.json()[plural]


def numbered(sandbox: SandboxControl, number: str) -> InvoiceSummary:
    return next(invoice for invoice in sandbox.invoices() if invoice.number == number)


def test_client_credentials_give_a_token_for_half_an_hour_and_no_refresh_token(
    sandbox: SandboxControl,
) -> None:
    body = token_answer(sandbox, grant_type="client_credentials", scope=READ).json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 1800
    assert set(body["scope"].split()) == set(READ.split())
    assert "refresh_token" not in body


def test_credentials_in_the_form_work_as_well_as_basic(sandbox: SandboxControl) -> None:
    answer = token_answer(
        sandbox,
        None,
        grant_type="client_credentials",
        scope=READ,
        client_id=XERO_CLIENT_ID,
        client_secret=XERO_CLIENT_SECRET,
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("secret", "form", "error"),
    [
        ("wrong", {"grant_type": "client_credentials", "scope": READ}, "invalid_client"),
        (XERO_CLIENT_SECRET, {"grant_type": "password"}, "unsupported_grant_type"),
        (XERO_CLIENT_SECRET, {"grant_type": "client_credentials"}, "invalid_scope"),
        (
            XERO_CLIENT_SECRET,
            {"grant_type": "client_credentials", "scope": "accounting.transactions"},
            "invalid_scope",
        ),
        (
            XERO_CLIENT_SECRET,
            {"grant_type": "client_credentials", "scope": f"offline_access {READ}"},
            "invalid_scope",
        ),
        (
            XERO_CLIENT_SECRET,
            {"grant_type": "refresh_token", "refresh_token": "never-given"},
            "invalid_grant",
        ),
    ],
)
def test_the_token_endpoint_names_the_fault(
    sandbox: SandboxControl, secret: str, form: dict[str, str], error: str
) -> None:
    answer = token_answer(sandbox, (XERO_CLIENT_ID, secret), **form)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_a_scope_that_the_app_was_not_given_is_invalid(sandbox: SandboxControl) -> None:
    sandbox.app_scopes("accounting.invoices.read")
    answer = token_answer(sandbox, grant_type="client_credentials", scope=READ)
    assert answer.json() == {"error": "invalid_scope"}


def test_a_refresh_token_rotates_and_the_previous_one_has_thirty_minutes_of_grace(
    sandbox: SandboxControl,
) -> None:
    first = sandbox.consent(f"offline_access {READ}")
    second = token_answer(sandbox, grant_type="refresh_token", refresh_token=first).json()["refresh_token"]
    assert second != first
    sandbox.shift_clock(29 * 60)
    assert token_answer(sandbox, grant_type="refresh_token", refresh_token=first).status_code == 200
    sandbox.shift_clock(2 * 60)
    spent = token_answer(sandbox, grant_type="refresh_token", refresh_token=first)
    assert (spent.status_code, spent.json()) == (400, {"error": "invalid_grant"})
    assert token_answer(sandbox, grant_type="refresh_token", refresh_token=second).status_code == 200


def test_an_expired_token_is_told_apart_from_a_missing_scope_and_a_foreign_tenant(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    foreign = xero.get(INVOICES, headers={"Xero-Tenant-Id": "5a4db0c5-0000-4000-8000-0000000000ff"})
    assert (foreign.status_code, foreign.json()["Detail"]) == (403, "AuthenticationUnsuccessful")
    narrow = {"Authorization": f"Bearer {access(sandbox, 'accounting.contacts.read')}"}
    scopeless = xero.get(INVOICES, headers=narrow)
    assert (scopeless.status_code, scopeless.json()["Detail"]) == (401, "AuthorizationUnsuccessful")
    unknown = xero.get(INVOICES, headers={"Authorization": "Bearer nobody"})
    assert (unknown.status_code, unknown.json()["Detail"]) == (401, "AuthenticationUnsuccessful")
    sandbox.shift_clock(1801)
    expired = xero.get(INVOICES)
    assert expired.status_code == 401
    assert expired.json()["Detail"].startswith("TokenExpired: token expired at ")
    assert expired.json()["Type"] is None


def test_tokens_can_be_expired_at_once(sandbox: SandboxControl, xero: httpx.Client) -> None:
    sandbox.expire_tokens()
    assert xero.get("/connections").json()["Detail"].startswith("TokenExpired")


def test_a_custom_connection_may_leave_the_tenant_out_and_a_consent_may_not(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    del xero.headers["Xero-Tenant-Id"]
    assert xero.get(INVOICES).status_code == 200
    consented = token_answer(sandbox, grant_type="refresh_token", refresh_token=sandbox.consent(READ)).json()
    bearer = {"Authorization": f"Bearer {consented['access_token']}"}
    assert xero.get(INVOICES, headers=bearer).status_code == 403


def test_a_disconnected_organisation_is_forbidden_and_listed_no_more(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    assert [row["tenantId"] for row in xero.get("/connections").json()] == [TENANT_ID]
    sandbox.disconnect()
    assert xero.get("/connections").json() == []
    assert xero.get(INVOICES).status_code == 403


def test_several_tenants_have_books_of_their_own(sandbox: SandboxControl, xero: httpx.Client) -> None:
    other = "5a4db0c5-0000-4000-8000-000000000002"
    sandbox.add_tenant(other, "Kea Street Roasters")
    contact = sandbox.add_contact("Only Customer", tenant_id=other)
    sandbox.add_invoice(contact.contact_id, "10.00", tenant_id=other)
    assert len(rows(xero.get(INVOICES, headers={"Xero-Tenant-Id": other}))) == 1
    assert len(xero.get("/connections").json()) == 2


def test_without_an_accept_header_xero_speaks_xml(xero: httpx.Client) -> None:
    answer = xero.get(INVOICES, headers={"Accept": "*/*"})
    assert answer.headers["content-type"].startswith("text/xml")


def test_a_list_has_stubs_and_only_a_single_read_has_phones(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    invoice_id = numbered(sandbox, "INV-0991").invoice_id
    listed = rows(xero.get(INVOICES, params={"IDs": invoice_id, "page": 1}))
    assert [row["Contact"]["Phones"] for row in listed] == [[]]
    assert "SentToContact" not in listed[0]
    single = rows(xero.get(f"{INVOICES}/{invoice_id}"))[0]
    assert {phone["PhoneType"] for phone in single["Contact"]["Phones"]} == {
        "DEFAULT",
        "DDI",
        "FAX",
        "MOBILE",
    }
    assert single["SentToContact"] is False


def test_line_items_come_only_with_paging(sandbox: SandboxControl, xero: httpx.Client) -> None:
    unpaged = xero.get(INVOICES)
    assert all(row["LineItems"] == [] for row in rows(unpaged))
    assert "pagination" not in unpaged.json()
    by_status = xero.get(INVOICES, params={"Statuses": "PAID"})
    assert by_status.json()["pagination"]["itemCount"] == len(rows(by_status)) == 3
    assert all(row["LineItems"] for row in rows(by_status))


def test_a_page_size_out_of_range_is_clamped(sandbox: SandboxControl, xero: httpx.Client) -> None:
    pagination = xero.get(INVOICES, params={"page": 2, "pageSize": 4}).json()["pagination"]
    assert pagination == {"page": 2, "pageSize": 4, "pageCount": 3, "itemCount": 9}
    assert xero.get(INVOICES, params={"page": 1, "pageSize": 5000}).json()["pagination"]["pageSize"] == 1000


def test_a_query_of_2048_characters_is_read_and_one_more_is_a_page_not_found(xero: httpx.Client) -> None:
    start = "page=1&IDs="
    full = start + ("0" * (2048 - len(start)))
    assert xero.get(f"{INVOICES}?{full}").status_code == 200
    over = xero.get(f"{INVOICES}?{full}0")
    assert over.status_code == 404
    assert over.headers["content-type"].startswith("text/html")
    assert "x-minlimit-remaining" not in over.headers


def test_an_unknown_id_is_a_page_not_found(xero: httpx.Client) -> None:
    for path in (f"{INVOICES}/nobody", "/api.xro/2.0/Contacts/nobody", f"{INVOICES}/nobody/OnlineInvoice"):
        answer = xero.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_what_is_not_modelled_says_so_itself(xero: httpx.Client) -> None:
    for path in (
        f'{INVOICES}?where=Reference.Contains("x")',
        f"{INVOICES}?createdByMyApp=true",
        f"{INVOICES}?page=1&page=2",
        "/api.xro/2.0/BankTransactions",
        f"{INVOICES}/",
    ):
        answer = xero.get(path)
        assert answer.status_code == 501
        assert list(answer.json()) == ["sandbox"]
    assert xero.post(INVOICES, json={}).status_code == 501


def test_an_order_or_page_that_cannot_be_read_is_a_parse_exception(xero: httpx.Client) -> None:
    for query in ({"order": "Total"}, {"page": "one"}, {"order": "Date SIDEWAYS"}):
        answer = xero.get(INVOICES, params=query)
        assert (answer.status_code, answer.json()["Type"]) == (400, "QueryParseException")


def test_the_default_order_is_by_last_change(sandbox: SandboxControl, xero: httpx.Client) -> None:
    edited = sandbox.edit(numbered(sandbox, "INV-0993").invoice_id, reference="late again")
    assert rows(xero.get(INVOICES))[-1]["InvoiceID"] == edited.invoice_id
    assert rows(xero.get(INVOICES, params={"order": "UpdatedDateUTC DESC"}))[0]["Reference"] == "late again"


def test_modified_since_filters_by_the_second_and_an_unreadable_value_is_ignored(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    edited = sandbox.edit(numbered(sandbox, "INV-0993").invoice_id, reference="x")
    iso = edited.updated_at.strftime("%Y-%m-%dT%H:%M:%S")
    for value in (
        iso,
        f"{iso}.999",
        f"{iso}Z",
        format_datetime(edited.updated_at.replace(microsecond=0), usegmt=True),
    ):
        found = rows(xero.get(INVOICES, params={"page": 1}, headers={"If-Modified-Since": value}))
        assert [row["InvoiceID"] for row in found] == [edited.invoice_id]
    assert len(rows(xero.get(INVOICES, headers={"If-Modified-Since": "last tuesday"}))) == 9


def test_a_moved_due_date_of_a_part_paid_invoice_hides_from_modified_since(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    before = numbered(sandbox, "INV-0994")
    after = sandbox.edit(before.invoice_id, due_on=date(2031, 1, 2))
    assert after.due_on == date(2031, 1, 2)
    assert after.updated_at == before.updated_at
    assert before.invoice_id not in {event.resource_id for event in sandbox.events()}


def test_archived_contacts_are_hidden_unless_asked_for(sandbox: SandboxControl, xero: httpx.Client) -> None:
    contacts = "/api.xro/2.0/Contacts"
    mere = next(contact for contact in sandbox.contacts() if contact.name == "Aro Street Cafe")
    sandbox.archive_contact(mere.contact_id)
    assert rows(xero.get(contacts, params={"IDs": mere.contact_id, "page": 1}), "Contacts") == []
    shown = rows(
        xero.get(contacts, params={"IDs": mere.contact_id, "page": 1, "includeArchived": "true"}), "Contacts"
    )
    assert [row["ContactStatus"] for row in shown] == ["ARCHIVED"]
    assert rows(xero.get(f"{contacts}/{mere.contact_id}"), "Contacts")[0]["ContactStatus"] == "ARCHIVED"


def test_only_an_approved_sales_invoice_has_an_online_invoice(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    def path(number: str) -> str:
        return f"{INVOICES}/{numbered(sandbox, number).invoice_id}/OnlineInvoice"

    url = rows(xero.get(path("INV-0993")), "OnlineInvoices")[0]["OnlineInvoiceUrl"]
    assert url.startswith("https://in.xero.com/")
    assert rows(xero.get(path("INV-0993")), "OnlineInvoices")[0]["OnlineInvoiceUrl"] == url
    assert xero.get(path("INV-0997")).status_code == 404
    assert xero.get(path("MM-4519")).status_code == 404


def test_the_minute_limit_is_a_fixed_window_told_in_the_headers(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    sandbox.settings(minute_limit=3)
    left = [xero.get(INVOICES).headers["X-MinLimit-Remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    refused = xero.get(INVOICES)
    assert (refused.status_code, refused.headers["X-Rate-Limit-Problem"]) == (429, "minute")
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["X-DayLimit-Remaining"] == "4997"
    assert xero.get("/connections").status_code == 200
    assert "x-minlimit-remaining" not in xero.get("/connections").headers
    sandbox.shift_clock(int(refused.headers["Retry-After"]))
    assert xero.get(INVOICES).status_code == 200


def test_the_day_limit_names_the_hours_that_are_left(sandbox: SandboxControl, xero: httpx.Client) -> None:
    sandbox.settings(day_limit=1000)
    sandbox.spend_calls(999)
    sandbox.shift_clock(61)
    assert xero.get(INVOICES).headers["X-DayLimit-Remaining"] == "0"
    refused = xero.get(INVOICES)
    assert (refused.status_code, refused.headers["X-Rate-Limit-Problem"]) == (429, "day")
    assert 80_000 < int(refused.headers["Retry-After"]) <= 86_400


def test_a_sixth_call_at_once_is_refused_without_a_time_to_wait(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    sandbox.fail_next("delay", path="/api.xro/*", times=5, seconds=60)
    held = [threading.Thread(target=xero.get, args=(INVOICES,)) for _ in range(5)]
    for thread in held:
        thread.start()
    while len(sandbox.requests()) < 6:
        pass
    refused = xero.get(INVOICES)
    sandbox.clear_faults()
    for thread in held:
        thread.join()
    assert (refused.status_code, refused.headers["X-Rate-Limit-Problem"]) == (429, "concurrent")
    assert "retry-after" not in refused.headers
    assert xero.get(INVOICES).status_code == 200


def test_books_loaded_from_a_raw_answer_are_served_digit_for_digit(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    raw = """{"Invoices": [{"Type": "ACCREC", "InvoiceID": "5a4db0c5-1111-4000-8000-000000000001",
        "InvoiceNumber": "R-1", "Status": "AUTHORISED", "LineItems": [],
        "Contact": {"ContactID": "5a4db0c5-2222-4000-8000-000000000001", "Name": "Raw"},
        "Total": 12.30, "AmountDue": 12.30, "CurrencyRate": 1.000000,
        "UpdatedDateUTC": "/Date(1289572094303+0000)/"}]}"""
    assert sandbox.load_books(raw) == 1
    text = xero.get(INVOICES, params={"page": 1}).text
    assert json.loads(text)["Invoices"] == json.loads(raw)["Invoices"]
    assert '"Total": 12.30,' in text
    assert '"CurrencyRate": 1.000000,' in text
    assert r"\/Date(1289572094303+0000)\/" in text


def test_the_wire_has_crlf_escaped_dates_and_a_correlation_id(xero: httpx.Client) -> None:
    answer = xero.get(INVOICES, params={"page": 1})
    assert "{\r\n  " in answer.text
    assert '"Date": "\\/Date(' in answer.text
    assert answer.headers["Xero-Correlation-Id"] == answer.json()["Id"]
    assert "Date" in answer.headers
    assert "null" not in answer.text
