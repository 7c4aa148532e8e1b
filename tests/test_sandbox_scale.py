"""Books of thousands of invoices are told in seconds, each record once."""

import time
from collections.abc import Generator

import httpx
import pytest

from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.server import running_sandbox
from tests.support_sandbox import rows, xero_client

MANY = 5000
SECONDS = 30
"""Of processor time, where one or two are needed. What looks at every invoice for each takes minutes."""


@pytest.fixture(scope="module")
def sandbox() -> Generator[SandboxControl]:
    with running_sandbox(SandboxSettings(minute_limit=100_000, day_limit=100_000)) as control:
        control.fill_books(MANY, seed=1)
        yield control


def ids_of(xero: httpx.Client, plural: str, id_name: str, **query: str) -> list[str]:
    found: list[str] = []
    for page in range(1, 100):
        part = rows(xero.get(f"/{plural}", params={"page": str(page), "pageSize": "1000", **query}), plural)
        if not part:
            return found
        found += [row[id_name] for row in part]
    raise AssertionError("the pages do not end")


def test_every_invoice_and_contact_is_listed_once_and_soon(sandbox: SandboxControl) -> None:
    began = time.process_time()
    with xero_client(sandbox) as xero:
        expected = sorted(one.invoice_id for one in sandbox.invoices())
        assert sorted(ids_of(xero, "Invoices", "InvoiceID")) == expected
        assert sorted(ids_of(xero, "Invoices", "InvoiceID", where="Total>0")) == expected
        assert len(ids_of(xero, "Contacts", "ContactID", includeArchived="true")) == len(sandbox.contacts())
    assert time.process_time() - began < SECONDS


def test_every_payment_is_listed_once_and_soon(sandbox: SandboxControl) -> None:
    began = time.process_time()
    sales = [one for one in sandbox.invoices() if (one.type, one.status) == ("ACCREC", "AUTHORISED")]
    sandbox.pay_batch([(one.invoice_id, None) for one in sales[:1500]])
    with xero_client(sandbox) as xero:
        listed = ids_of(xero, "Payments", "PaymentID")
    assert sorted(listed) == sorted(one.payment_id for one in sandbox.payments())
    assert len(listed) > 1500
    assert time.process_time() - began < SECONDS
