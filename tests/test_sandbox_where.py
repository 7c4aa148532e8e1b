"""The sandbox reads Xero's ``where`` as Xero does: what it may compare, and what it refuses."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.sandbox.wire import Record, calendar_ms
from deployments.sandbox.xero_query import NotModelledError, QueryRefusedError
from deployments.sandbox.xero_where import INVOICE_FIELDS, PAYMENT_FIELDS, predicate

ONE = "5a4db0c5-1111-4000-8000-000000000001"
TWO = "5a4db0c5-1111-4000-8000-000000000002"


ROW: Record = {
    "InvoiceID": ONE,
    "Type": "ACCREC",
    "Status": "AUTHORISED",
    "Reference": "",
    "AmountDue": Decimal("12.50"),
    "DueDate": calendar_ms(date(2031, 5, 6)),
    "Contact": {"ContactID": TWO, "Name": "Leith Loaf Limited"},
}


def fits(where: str) -> bool:
    return predicate(where, INVOICE_FIELDS, "Invoice")(ROW)


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ('Type=="ACCREC"', True),
        ('Type != "ACCREC"', False),
        ("AmountDue>0", True),
        ("AmountDue>12.50", False),
        ("AmountDue>=12.5", True),
        ("DueDate<DateTime(2031,5,6)", False),
        ("DueDate<DateTime(2031, 5, 7)", True),
        ("DueDate>=DateTime(2031,5,6)", True),
        ("DueDate>=DateTime(2031,5,6) AND DueDate<DateTime(2031,6,1)", True),
        ("DueDate==DateTime(2031,05,06,0,0,0)", True),
        (f'InvoiceID==Guid("{ONE}")', True),
        (f'InvoiceId==Guid("{ONE.upper()}")', True),
        (f'invoiceid==guid("{TWO}")', False),
        (f'InvoiceID==Guid("{TWO}") OR InvoiceID==Guid("{ONE}")', True),
        (f'Contact.ContactID==Guid("{TWO}")', True),
        ('Type=="ACCREC" && AmountDue>0 && DueDate<DateTime(2032,1,1)', True),
        ('Type=="ACCPAY" || Status=="AUTHORISED"', True),
        ('Type=="ACCPAY" AND AmountDue>0 OR Status=="AUTHORISED"', True),
        ('Type=="ACCPAY" AND (AmountDue>0 OR Status=="AUTHORISED")', False),
        ("FullyPaidOnDate==null", True),
        ("FullyPaidOnDate!=null", False),
        ("DueDate!=null", True),
        ("FullyPaidOnDate<DateTime(2040,1,1)", False),
        ("AmountPaid>=0", False),
        ("SentToContact==false", True),
        ("SentToContact==true", False),
        ('Reference==""', True),
    ],
)
def test_a_where_chooses_as_written(where: str, chosen: bool) -> None:  # noqa: FBT001 - a table
    assert fits(where) is chosen


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ('Nonsense=="x"', "No property or field 'Nonsense' exists in type 'Invoice'"),
        ('AmountDue>"0"', "Operator '>' incompatible with operand types 'Decimal' and 'String'"),
        (f'InvoiceID=="{ONE}"', "Operator '==' incompatible with operand types 'Guid' and 'String'"),
        ('DueDate<"2031-05-06"', "Operator '<' incompatible with operand types 'DateTime' and 'String'"),
        ("DueDate<2031", "Operator '<' incompatible with operand types 'DateTime' and 'Decimal'"),
        ('Type>"A"', "Operator '>' incompatible with operand types 'String' and 'String'"),
        ("Type==ACCREC", "No property or field 'ACCREC' exists in type 'Invoice'"),
        ("AmountDue>null", "Operator '>' incompatible with operand types 'Decimal' and 'Object'"),
        ('InvoiceID==Guid("short")', "Guid should contain 32 digits with 4 dashes"),
        ("DueDate<DateTime(2031,13,1)", "DateTime is out of range"),
        ("DueDate<DateTime(2031,5)", "No applicable constructor exists in type 'DateTime'"),
        ("DueDate<DateTime(2031,5,6", "')' expected"),
        ("AmountDue", "Expression expected"),
        ("AmountDue>0 AND", "Expression expected"),
        ("AmountDue>0 Status", "Syntax error"),
        ("Type=='ACCREC'", "Syntax error at index 6"),
        ("(AmountDue>0", "')' expected"),
        ("AmountDue&&0", "Syntax error"),
    ],
)
def test_what_xero_could_not_read_is_refused_in_its_words(where: str, message: str) -> None:
    with pytest.raises(QueryRefusedError) as refused:
        fits(where)
    assert str(refused.value) == message


@pytest.mark.parametrize("method", ["Contains", "StartsWith", "EndsWith", "ToLower"])
def test_what_xero_knows_and_the_sandbox_does_not_is_no_parse_error(method: str) -> None:
    with pytest.raises(NotModelledError):
        fits(f'Contact.Name.{method}("Loaf")')


@given(
    st.lists(st.tuples(st.sampled_from([ONE, TWO]), st.sampled_from(["AUTHORISED", "DELETED"])), max_size=6),
    st.lists(st.sampled_from([ONE, TWO]), min_size=1, max_size=4),
)
def test_a_list_of_ids_joined_by_or_chooses_the_rows_of_those_ids(
    kept: list[tuple[str, str]], ids: list[str]
) -> None:
    where = " OR ".join(f'PaymentID==Guid("{one}")' for one in ids)
    chosen = predicate(f'({where}) AND Status=="AUTHORISED"', PAYMENT_FIELDS, "Payment")
    records: list[Record] = [{"PaymentID": one, "Status": status} for one, status in kept]
    expected = [one for one, status in kept if one in ids and status == "AUTHORISED"]
    assert [record["PaymentID"] for record in records if chosen(record)] == expected


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_and_never_breaks(where: str) -> None:
    try:
        chosen = fits(where)
    except (QueryRefusedError, NotModelledError):
        return
    assert chosen in {True, False}
