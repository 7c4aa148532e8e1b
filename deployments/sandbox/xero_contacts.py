"""Xero's contacts and contact groups."""

from deployments.sandbox import addressbook
from deployments.sandbox.books import BookkeepingError, Group
from deployments.sandbox.wire import Json, Record, text_of
from deployments.sandbox.xero_endpoint import (
    Answer,
    Asked,
    Endpoint,
    InvalidRecordError,
    Listing,
    UnknownRecordError,
    found_in,
    sent_ids,
)
from deployments.sandbox.xero_query import chosen, listed, page_of, truth
from deployments.sandbox.xero_views import listed_contact, listed_group, single_contact, single_group
from deployments.sandbox.xero_where import CONTACT_FIELDS, GROUP_FIELDS, predicate

_SCOPE = "accounting.contacts"
_LISTING = Listing("Contacts", CONTACT_FIELDS, ("ContactID", "UpdatedDateUTC", "Name"))


def endpoints() -> list[Endpoint]:
    """Where each answer is found."""
    group, members = "/ContactGroups/{record_id}", "/ContactGroups/{record_id}/Contacts"
    return [
        Endpoint("/Contacts", _SCOPE, _contacts),
        Endpoint("/Contacts/{record_id}", _SCOPE, _contact),
        Endpoint("/ContactGroups", _SCOPE, _groups),
        Endpoint("/ContactGroups", _SCOPE, _add_groups, "PUT"),
        Endpoint(group, _SCOPE, _group),
        Endpoint(members, _SCOPE, _join, "PUT"),
        Endpoint(members, _SCOPE, _empty, "DELETE"),
        Endpoint(members + "/{contact_id}", _SCOPE, _leave, "DELETE"),
    ]


def _contacts(asked: Asked) -> Answer:
    query = asked.query("IDs", "page", "pageSize", "order", "where", "includeArchived", "summaryOnly")
    summary = truth(query, "summaryOnly")
    page = page_of(query, forced=summary)
    rows = chosen(asked.books.contacts.values(), "ContactID", listed(query, "IDs"))
    if not truth(query, "includeArchived"):
        rows = chosen(rows, "ContactStatus", frozenset({"active"}))
    rows, paged = _LISTING.chosen(asked, query, rows), page.number is not None
    return _LISTING.answer(
        page, rows, lambda row: listed_contact(row, asked.books, asked.now, paged=paged, summary=summary)
    )


def _contact(asked: Asked) -> Answer:
    asked.query()
    return Answer("Contacts", [single_contact(found_in(asked.books.contacts, asked.path_id()), asked.books)])


def _groups(asked: Asked) -> Answer:
    query = asked.query("where", "order")
    rows = [listed_group(group) for group in asked.books.groups.values() if group.status == "ACTIVE"]
    if query.get("where"):
        rows = list(filter(predicate(query["where"], GROUP_FIELDS, "ContactGroup"), rows))
    return Answer("ContactGroups", sorted(rows, key=lambda row: text_of(row, "Name")))


def _found_group(asked: Asked) -> Group:
    group = asked.books.groups.get(asked.path_id())
    if group is None or group.status != "ACTIVE":
        raise UnknownRecordError(asked.path_id())
    return group


def _group(asked: Asked) -> Answer:
    asked.query()
    return Answer("ContactGroups", [single_group(_found_group(asked), asked.books)])


def _add_groups(asked: Asked) -> Answer:
    asked.query()
    try:
        made = [
            addressbook.add_group(asked.books, text_of(row, "Name")) for row in asked.rows("ContactGroups")
        ]
    except BookkeepingError as error:
        raise InvalidRecordError(str(error)) from error
    return Answer("ContactGroups", [listed_group(group) for group in made])


def _join(asked: Asked) -> Answer:
    asked.query()
    group, ids = _found_group(asked), sent_ids(asked.rows("Contacts"), "ContactID")
    if not all(one in asked.books.contacts for one in ids):
        raise InvalidRecordError("The contact with the specified ContactID could not be found")
    changes = addressbook.join(asked.books, group.group_id, ids, asked.now)
    return Answer("Contacts", [_joined(one) for one in ids], changes=changes)


def _joined(contact_id: str) -> Record:
    """A new member as the answer names it: not even by name (createContactGroupContacts of Xero-OpenAPI)."""
    lists: dict[str, Json] = {
        name: [] for name in ("Addresses", "Phones", "ContactGroups", "ContactPersons", "ValidationErrors")
    }
    return {"ContactID": contact_id, **lists, "HasValidationErrors": False}


def _leave(asked: Asked) -> Answer:
    asked.query()
    group = _found_group(asked)
    if asked.path_id("contact_id") not in group.members:
        raise UnknownRecordError(asked.path_id("contact_id"))
    return Answer(
        changes=addressbook.leave(asked.books, group.group_id, [asked.path_id("contact_id")], asked.now)
    )


def _empty(asked: Asked) -> Answer:
    asked.query()
    group = _found_group(asked)
    return Answer(changes=addressbook.leave(asked.books, group.group_id, set(group.members), asked.now))
