"""Links for the team lead to the record and nowhere else."""

from duebell.xero.links import invoice_link

RECORD_ID = "11111111-2222-4333-8444-555555555555"


def test_a_link_holds_the_short_code_and_the_id() -> None:
    assert invoice_link("!mBdtL", RECORD_ID) == f"https://go.xero.com/app/!mBdtL/invoicing/view/{RECORD_ID}"


def test_a_short_code_cannot_leave_the_site() -> None:
    assert invoice_link("../..?x#", RECORD_ID).startswith("https://go.xero.com/app/..%2F..%3Fx%23/")
