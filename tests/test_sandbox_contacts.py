"""The sandbox's contacts and groups: what an accountant does to them, and what Xero then tells."""

from collections.abc import Iterator

import httpx
import pytest

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_client import ControlRefusedError
from deployments.sandbox.control_records import Person
from tests.support_sandbox import WRITE, Row, contact_id, invoice_id, rows, rung, xero_client

CAFE, PIES = "Aro Street Cafe", "Petone Pie Cart"


@pytest.fixture
def xero(sandbox: SandboxControl) -> Iterator[httpx.Client]:
    with xero_client(sandbox, WRITE) as client:
        yield client


def single(xero: httpx.Client, wanted: str) -> Row:
    (row,) = rows(xero.get(f"/Contacts/{wanted}"), "Contacts")
    return row


def listed_ids(xero: httpx.Client, **query: str) -> set[str]:
    return {row["ContactID"] for row in rows(xero.get("/Contacts", params=query), "Contacts")}


def groups_of(xero: httpx.Client, wanted: str) -> list[str]:
    return [group["Name"] for group in single(xero, wanted)["ContactGroups"]]


def test_names_persons_and_address_are_edited_and_ring_as_one_update_each(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    cafe = contact_id(sandbox, CAFE)
    persons = [
        Person("Ann", "Payer", "ann@cafe.example"),
        Person("Bo", "Silent", "bo@cafe.example", in_emails=False),
    ]
    sandbox.edit_contact(cafe, name="Cafe", first_name="Mere", last_name="Ngata", persons=persons)
    sandbox.edit_contact(cafe, city="Leeds", country="UK")
    sandbox.set_phone(cafe, "570 006", country="61", area="491")
    sandbox.set_email(cafe, "new@cafe.example")
    row = single(xero, cafe)
    assert (row["Name"], row["LastName"], row["EmailAddress"]) == ("Cafe", "Ngata", "new@cafe.example")
    told = [(one["FirstName"], one["IncludeInEmails"]) for one in row["ContactPersons"]]
    assert told == [("Ann", True), ("Bo", False)]
    assert [one["Country"] for one in row["Addresses"]] == ["", "UK"]
    assert {one["PhoneType"]: one["PhoneNumber"] for one in row["Phones"]}["MOBILE"] == "570 006"
    assert len(row["Phones"]) == 4
    assert rung(sandbox) == [("CONTACT", "UPDATE", cafe)] * 4


def test_a_contact_has_at_most_five_persons(sandbox: SandboxControl) -> None:
    with pytest.raises(ControlRefusedError):
        sandbox.edit_contact(contact_id(sandbox, CAFE), persons=[Person("a", "b", "c@d.example")] * 6)


@pytest.mark.parametrize("status", ["ARCHIVED", "GDPRREQUEST"])
def test_who_is_no_longer_active_is_hidden_from_lists_and_found_by_id(
    sandbox: SandboxControl, xero: httpx.Client, status: str
) -> None:
    cafe = contact_id(sandbox, CAFE)
    assert sandbox.set_contact_status(cafe, status).status == status
    assert cafe not in listed_ids(xero, page="1") | listed_ids(xero, IDs=cafe)
    assert listed_ids(xero, IDs=cafe, page="1", includeArchived="true") == {cafe}
    assert single(xero, cafe)["ContactStatus"] == status
    assert sandbox.set_contact_status(cafe, "ACTIVE").status == "ACTIVE"
    assert cafe in listed_ids(xero, page="1")


def test_a_merged_contact_says_where_it_went_and_its_documents_move_without_a_word(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    old, left = contact_id(sandbox, PIES), contact_id(sandbox, CAFE)
    before = sandbox.invoice(invoice_id(sandbox, "INV-0993"))
    credit = sandbox.add_credit("OVERPAYMENT", old, "5.00")
    heard = len(sandbox.events())
    survivor = sandbox.merge_contacts(old, left)
    assert (survivor.contact_id, survivor.status) == (left, "ACTIVE")
    gone = sandbox.contact(old)
    assert (gone.status, gone.merged_into) == ("ARCHIVED", left)
    assert single(xero, old)["MergedToContactID"] == left
    unpaged = rows(xero.get("/Contacts", params={"IDs": old, "includeArchived": "true"}), "Contacts")
    assert "MergedToContactID" not in unpaged[0]
    after = sandbox.invoice(before.invoice_id)
    assert (before.contact_id, after.contact_id) == (old, left)
    assert after.updated_at == before.updated_at
    assert {one.credit_id: one.contact_id for one in sandbox.credits()} == {credit.credit_id: left}
    assert rung(sandbox)[heard:] == [("CONTACT", "UPDATE", old), ("CONTACT", "UPDATE", left)]
    (row,) = rows(xero.get("/Invoices", params={"IDs": before.invoice_id}), "Invoices")
    assert row["Contact"]["Name"] == CAFE
    with pytest.raises(ControlRefusedError):
        sandbox.merge_contacts(old, left)


def test_neither_a_balance_nor_becoming_a_customer_touches_a_contacts_time_of_change(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    new = sandbox.add_contact("Newcomer").contact_id
    query = {"IDs": new, "page": "1"}
    (before,) = rows(xero.get("/Contacts", params=query), "Contacts")
    sandbox.add_invoice(new, "100.00")
    (after,) = rows(xero.get("/Contacts", params=query), "Contacts")
    assert (before["IsCustomer"], after["IsCustomer"]) == (False, True)
    assert after["Balances"]["AccountsReceivable"]["Outstanding"] == 115.0
    assert after["UpdatedDateUTC"] == before["UpdatedDateUTC"]


def test_a_summary_and_an_unpaged_list_hold_fewer_fields(sandbox: SandboxControl, xero: httpx.Client) -> None:
    cafe = contact_id(sandbox, CAFE)
    summary = rows(xero.get("/Contacts", params={"summaryOnly": "true", "IDs": cafe}), "Contacts")[0]
    assert not {"IsCustomer", "IsSupplier", "Balances"} & set(summary)
    unpaged = rows(xero.get("/Contacts", params={"IDs": cafe}), "Contacts")[0]
    assert not {"ContactPersons", "ContactGroups", "Balances", "DefaultCurrency"} & set(unpaged)
    assert unpaged["Phones"]


def test_contacts_are_chosen_by_where(sandbox: SandboxControl, xero: httpx.Client) -> None:
    wanted = {"where": f'Name=="{CAFE}" OR EmailAddress=="tom@piecart.example"'}
    assert listed_ids(xero, **wanted) == {contact_id(sandbox, CAFE), contact_id(sandbox, PIES)}
    assert xero.get("/Contacts", params={"where": "Phones==null"}).status_code == 400


def test_an_accountants_groups_are_listed_bare_and_single_with_their_members(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    cafe, pies = contact_id(sandbox, CAFE), contact_id(sandbox, PIES)
    group = sandbox.add_group("Key accounts")
    before = sandbox.contact(cafe).updated_at
    sandbox.join_group(group.group_id, [cafe, pies])
    sandbox.join_group(group.group_id, [cafe])
    assert [one["Contacts"] for one in rows(xero.get("/ContactGroups"), "ContactGroups")] == [[]]
    (single_group,) = rows(xero.get(f"/ContactGroups/{group.group_id}"), "ContactGroups")
    assert {one["ContactID"]: one["Name"] for one in single_group["Contacts"]} == {cafe: CAFE, pies: PIES}
    assert all(one["Phones"] == [] for one in single_group["Contacts"])
    assert groups_of(xero, cafe) == ["Key accounts"]
    assert before is not None
    assert (sandbox.contact(cafe).updated_at or before) > before
    assert sorted(rung(sandbox)) == sorted([("CONTACT", "UPDATE", cafe), ("CONTACT", "UPDATE", pies)])
    sandbox.rename_group(group.group_id, "Best accounts")
    assert groups_of(xero, cafe) == ["Best accounts"]
    sandbox.leave_group(group.group_id, [cafe])
    sandbox.delete_group(group.group_id)
    assert groups_of(xero, cafe) == groups_of(xero, pies) == []
    assert xero.get(f"/ContactGroups/{group.group_id}").status_code == 404
    assert rows(xero.get("/ContactGroups"), "ContactGroups") == []


def test_our_own_writes_to_groups_change_them_and_ring_us(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    cafe, pies = contact_id(sandbox, CAFE), contact_id(sandbox, PIES)
    made = xero.put("/ContactGroups", json={"ContactGroups": [{"Name": "SMS opt-out"}]})
    group = rows(made, "ContactGroups")[0]["ContactGroupID"]
    members = f"/ContactGroups/{group}/Contacts"
    joined = xero.put(members, json={"Contacts": [{"ContactID": cafe}, {"ContactID": pies}]})
    assert [row["ContactID"] for row in rows(joined, "Contacts")] == [cafe, pies]
    assert "Name" not in joined.json()["Contacts"][0]
    assert rung(sandbox) == [("CONTACT", "UPDATE", cafe), ("CONTACT", "UPDATE", pies)]
    gone = xero.delete(f"{members}/{cafe}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert xero.delete(f"{members}/{cafe}").status_code == 404
    assert (groups_of(xero, cafe), groups_of(xero, pies)) == ([], ["SMS opt-out"])
    assert xero.delete(members).status_code == 204
    assert groups_of(xero, pies) == []
    assert len(rung(sandbox)) == 4


def test_a_group_that_cannot_be_made_or_joined_is_a_validation_exception(
    sandbox: SandboxControl, xero: httpx.Client
) -> None:
    group = sandbox.add_group("Taken").group_id
    for path, body in (
        ("/ContactGroups", {"ContactGroups": [{"Name": "Taken"}]}),
        ("/ContactGroups", {"ContactGroups": [{"Name": ""}]}),
        (f"/ContactGroups/{group}/Contacts", {"Contacts": [{"ContactID": "nobody"}]}),
    ):
        refused = xero.put(path, json=body)
        assert (refused.status_code, refused.json()["Type"]) == (400, "ValidationException")
        assert refused.json()["Elements"][0]["ValidationErrors"][0]["Message"]
    for index in range(99):
        sandbox.add_group(f"g{index}")
    full = xero.put("/ContactGroups", json={"ContactGroups": [{"Name": "one more"}]})
    assert full.status_code == 400
    assert len(sandbox.groups()) == 100
