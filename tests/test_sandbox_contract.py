"""What the sandbox answers fits the providers' own interface descriptions and recorded bodies."""

import json
import ssl
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.sandbox import credentials as known
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.server import running_sandbox

Row = dict[str, Any]
TLS = ssl.create_default_context()  # made once, because each client would make its own, slowly
SCOPES = "accounting.invoices.read accounting.contacts.read accounting.settings.read"
TWILIO = f"/2010-04-01/Accounts/{known.TWILIO_ACCOUNT_SID}"
# Told beside the schema: the envelope of every answer, and a mark that samples carry and the schema forgot.
UNDESCRIBED = {"HasValidationErrors"}


@pytest.fixture(scope="module")
def sandbox() -> Generator[SandboxControl]:
    with running_sandbox() as control:
        yield control


def xero(sandbox: SandboxControl, path: str) -> Row:
    token = httpx.post(
        f"{sandbox.base_url}/connect/token",
        data={"grant_type": "client_credentials", "scope": SCOPES},
        auth=(known.XERO_CLIENT_ID, known.XERO_CLIENT_SECRET),
        verify=TLS,
        timeout=60,
    ).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    answer = httpx.get(f"{sandbox.base_url}{path}", headers=headers, verify=TLS, timeout=60)
    assert answer.status_code == 200
    return answer.json() if answer.text.startswith("{") else {"rows": answer.json()}


def schemas(samples: Path, name: str) -> Row:
    return json.loads((samples / "openapi" / f"{name}.json").read_text())["schemas"]


def misfits(value: Any, kind: str, known_schemas: Row, where: str) -> list[str]:
    """Where a value has a field that its schema lacks, or another coarse type."""
    sort, _, rest = kind.partition(":")
    if sort == "ref" and isinstance(known_schemas[rest], str):
        return misfits(value, known_schemas[rest], known_schemas, where)
    if sort == "ref":
        return record_misfits(value, known_schemas[rest], known_schemas, where)
    if sort == "arr":
        found = [misfits(item, f"ref:{rest}", known_schemas, where) for item in value]
        return (
            [line for lines in found for line in lines] if isinstance(value, list) else [f"{where}: no list"]
        )
    if sort == "enum":
        return [] if value in rest.split("|") else [f"{where}: {value} is not of {rest[:40]}"]
    fits = {
        "string": str,
        "boolean": bool,
        "integer": int,
        "number": int | float,
        "object": dict,
        "any": object,
    }
    good = isinstance(value, fits[sort]) and (sort in {"boolean", "any"} or not isinstance(value, bool))
    return [] if good else [f"{where}: {type(value).__name__} is no {sort}"]


def record_misfits(record: Row, schema: Row, known_schemas: Row, where: str) -> list[str]:
    lines = [f"{where}.{name}: unknown" for name in record if name not in schema and name not in UNDESCRIBED]
    for name, value in record.items():
        # Dates are a second spelling of a described field: DateString beside Date.
        if name in schema and value is not None:
            lines += misfits(value, schema[name], known_schemas, f"{where}.{name}")
    return [line for line in lines if not line.endswith(("DateString: unknown", "DueDateString: unknown"))]


@pytest.mark.parametrize(
    ("path", "plural"),
    [
        ("/api.xro/2.0/Invoices?page=1", "Invoices"),
        ("/api.xro/2.0/Invoices", "Invoices"),
        ("/api.xro/2.0/Contacts?page=1&includeArchived=true", "Contacts"),
        ("/api.xro/2.0/Contacts", "Contacts"),
        ("/api.xro/2.0/Organisation", "Organisations"),
    ],
)
def test_every_field_of_every_record_is_in_xeros_schema(
    sandbox: SandboxControl, samples: Path, path: str, plural: str
) -> None:
    body = xero(sandbox, path)
    described = schemas(samples, "xero")
    assert body[plural]
    assert misfits({plural: body[plural]}, f"ref:{plural}", described, "") == []
    if "pagination" in body:
        assert misfits(body["pagination"], "ref:Pagination", described, "pagination") == []


def test_every_single_record_is_in_xeros_schema(sandbox: SandboxControl, samples: Path) -> None:
    described = schemas(samples, "xero")
    for invoice in sandbox.invoices():
        body = xero(sandbox, f"/api.xro/2.0/Invoices/{invoice.invoice_id}")
        assert misfits({"Invoices": body["Invoices"]}, "ref:Invoices", described, "") == []
    open_invoice = next(row for row in sandbox.invoices() if row.number == "INV-0993")
    link = xero(sandbox, f"/api.xro/2.0/Invoices/{open_invoice.invoice_id}/OnlineInvoice")
    assert misfits({"OnlineInvoices": link["OnlineInvoices"]}, "ref:OnlineInvoices", described, "") == []


def field_sets(rows: list[Row]) -> tuple[set[str], set[str]]:
    """The fields that every row has, and those that any row has."""
    names = [set(row) for row in rows]
    return set[str].intersection(*names), set[str].union(*names)


def nested(rows: list[Row], name: str) -> list[Row]:
    return [item for row in rows for item in row[name]]


def test_a_listed_invoice_has_the_fields_of_a_recorded_one(sandbox: SandboxControl, samples: Path) -> None:
    recorded: list[Row] = json.loads(
        (samples / "xero-samples" / "invoices-page-1.recorded.json").read_text()
    )["Invoices"]
    ours: list[Row] = xero(sandbox, "/api.xro/2.0/Invoices?page=1")["Invoices"]
    # Told since July 2026, after the recording was made.
    newer = {"UpdatedDateUTCString"}
    for theirs, mine in (
        (recorded, ours),
        (nested(recorded, "LineItems"), nested(ours, "LineItems")),
        (nested(recorded, "Payments"), nested(ours, "Payments")),
        ([row["Contact"] for row in recorded], [row["Contact"] for row in ours]),
    ):
        always, ever = field_sets(theirs)
        mine_always, mine_ever = field_sets(mine)
        assert always - mine_always == set()
        assert mine_ever - ever - newer == set()


def test_the_recorded_page_is_served_back_as_it_was_recorded(sandbox: SandboxControl, samples: Path) -> None:
    raw = (samples / "xero-samples" / "invoices-page-1.recorded.json").read_text()
    tenant_id = "5a4db0c5-0000-4000-8000-000000000003"
    sandbox.add_tenant(tenant_id, "Recorded")
    assert sandbox.load_books(raw, tenant_id=tenant_id) == 79
    token = httpx.post(
        f"{sandbox.base_url}/connect/token",
        data={"grant_type": "client_credentials", "scope": SCOPES},
        auth=(known.XERO_CLIENT_ID, known.XERO_CLIENT_SECRET),
        verify=TLS,
        timeout=60,
    ).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "Xero-Tenant-Id": tenant_id}
    served = httpx.get(
        f"{sandbox.base_url}/api.xro/2.0/Invoices?page=1", headers=headers, verify=TLS, timeout=60
    )
    by_id = {row["InvoiceID"]: row for row in json.loads(raw)["Invoices"]}
    assert {row["InvoiceID"]: row for row in served.json()["Invoices"]} == by_id
    assert served.text.count(r"\/Date(") == raw.count(r"\/Date(")


def test_the_organisation_and_connections_have_recorded_fields(
    sandbox: SandboxControl, samples: Path
) -> None:
    folder = samples / "xero-samples"
    organisation = json.loads((folder / "organisation.recorded.json").read_text())["Organisations"][0]
    assert set(xero(sandbox, "/api.xro/2.0/Organisation")["Organisations"][0]) <= set(organisation)
    connection = json.loads((folder / "connections.recorded.json").read_text())[0]
    # tenantName and authEventId came after the recording of 2020.
    assert set(xero(sandbox, "/connections")["rows"][0]) == set(connection) | {"tenantName", "authEventId"}


def test_a_message_is_exactly_twilios_message_resource(sandbox: SandboxControl, samples: Path) -> None:
    described = schemas(samples, "twilio")
    auth = (known.TWILIO_ACCOUNT_SID, known.TWILIO_AUTH_TOKEN)
    form = {"To": "+64211234567", "From": known.TWILIO_FROM, "Body": "hello"}
    created = httpx.post(
        f"{sandbox.base_url}{TWILIO}/Messages.json", data=form, auth=auth, verify=TLS, timeout=60
    )
    listed = httpx.get(f"{sandbox.base_url}{TWILIO}/Messages.json", auth=auth, verify=TLS, timeout=60).json()[
        "messages"
    ]
    assert created.status_code == 201
    for message in [created.json(), *listed]:
        assert set(message) == set(described["api.v2010.account.message"])
        assert misfits(message, "ref:api.v2010.account.message", described, "") == []
