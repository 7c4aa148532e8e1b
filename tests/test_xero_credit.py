"""Credit notes, prepayments and overpayments as Xero writes them, and as the sandbox plays them."""

from contextlib import nullcontext
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.credentials import TENANT_ID
from duebell.model import Credit, CreditKind
from duebell.xero.client import XeroClient
from duebell.xero.parse_credits import CREDIT_LISTS, parse_credit
from duebell.xero.reader import read_json
from duebell.xero.records import Records, credits_of
from duebell.xero.transfer import make_http_client
from tests.support_sandbox import access, contact_id

SCOPES = "accounting.invoices.read accounting.payments.read"
CAFE = "Aro Street Cafe"


def read(samples: Path, name: str, kind: CreditKind) -> Records[Credit]:
    return credits_of(read_json((samples / "xero-samples" / f"{name}.openapi.json").read_bytes()), kind)


def test_xeros_own_examples_tell_whose_credit_it_is_and_what_remains(samples: Path) -> None:
    over = read(samples, "overpayments", CreditKind.OVERPAYMENT)
    assert over.bad == ()
    first, second = over.good[0].value, over.good[1].value
    assert (first.is_customers, first.remaining, first.currency) == (False, 500, "NZD")
    assert (second.is_customers, second.remaining) == (True, 20)
    assert second.contact_id == "430fa14a-f945-44d3-9f97-5df5e28441b8"
    assert read(samples, "credit-note", CreditKind.CREDIT_NOTE).bad == ()


@pytest.mark.parametrize("status", ["PAID", "VOIDED", "DRAFT", "SUBMITTED", "", "SOMETHING"])
def test_nothing_remains_of_what_is_not_open(status: str) -> None:
    body = {"OverpaymentID": "11111111-2222-4333-8444-555555555555", "Status": status}
    credit = parse_credit(CreditKind.OVERPAYMENT, body | {"RemainingCredit": Decimal(20)})
    assert credit.remaining == 0


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        (CreditKind.PREPAYMENT, "SPEND-PREPAYMENT"), (CreditKind.PREPAYMENT, "APPREPAYMENT"),
        (CreditKind.PREPAYMENT, "AROVERPAYMENT"), (CreditKind.PREPAYMENT, "RECEIVE-OVERPAYMENT"),
        (CreditKind.OVERPAYMENT, "SPEND-OVERPAYMENT"), (CreditKind.OVERPAYMENT, "APOVERPAYMENT"),
        (CreditKind.OVERPAYMENT, "ARPREPAYMENT"), (CreditKind.OVERPAYMENT, ""),
        (CreditKind.CREDIT_NOTE, "ACCPAYCREDIT"), (CreditKind.CREDIT_NOTE, "AROVERPAYMENT"),
    ],
)  # fmt: skip
def test_a_suppliers_is_no_customers_and_each_is_counted_in_its_own_list_alone(
    kind: CreditKind, type_: str
) -> None:
    body = {CREDIT_LISTS[kind].id_name: "11111111-2222-4333-8444-555555555555", "Type": type_}
    assert not parse_credit(kind, body | {"Status": "AUTHORISED"}).is_customers


@pytest.mark.parametrize("kind", CreditKind)
def test_the_sandbox_lists_what_waits_and_then_what_changed(
    sandbox: SandboxControl, kind: CreditKind
) -> None:
    cafe = contact_id(sandbox, CAFE)
    waits = sandbox.add_credit(kind.value, cafe, "30.00")
    sandbox.add_credit(kind.value, cafe, "7.00", is_bill=True)
    token = SecretStr(access(sandbox, SCOPES))
    with make_http_client() as http:
        client = XeroClient(http, sandbox.base_url, lambda: token, TENANT_ID, nullcontext, lambda _call: None)
        whole = client.credit_page(kind, 1)
        theirs = [one.value for one in whole.good if one.value.is_customers]
        assert [(one.credit_id, one.remaining) for one in theirs] == [(waits.credit_id, 30)]
        assert whole.read_at is not None
        invoice = sandbox.add_invoice(cafe, "100.00")
        sandbox.allocate(waits.credit_id, invoice.invoice_id, "30.00")
        changed = client.credit_page(kind, 1, modified_since=whole.read_at - timedelta(seconds=2))
        assert {one.value.credit_id: one.value.remaining for one in changed.good}[waits.credit_id] == 0
        assert [one for one in client.credit_page(kind, 1).good if one.value.is_customers] == []
