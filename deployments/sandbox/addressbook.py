"""What an accountant does to contacts and their groups."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from deployments.sandbox.books import BookkeepingError, Books, Change, Group
from deployments.sandbox.documents import PHONE_TYPES, contact_stub, new_contact, phone
from deployments.sandbox.wire import Json, Record, record_of, records_of, text_of

MOST_PERSONS = 5
MOST_GROUPS = 100


def add(books: Books, name: str, now: datetime, **known: Json) -> Change:
    """Enter a new contact."""
    at = books.tick(now)
    return books.save_contact(new_contact(str(uuid.uuid4()), name, at, **known), at, created=True)


def edit(books: Books, contact_id: str, changed: Record, now: datetime) -> Change:
    """Change fields of a contact, given as Xero names them."""
    record = books.contact(contact_id)
    if len(records_of(changed.get("ContactPersons"))) > MOST_PERSONS:
        raise BookkeepingError(f"a contact has at most {MOST_PERSONS} persons")
    return books.save_contact(record | changed, books.tick(now))


def set_phone(books: Books, contact_id: str, kind: str, parts: tuple[str, str, str], now: datetime) -> Change:
    """Type country code, area code and number into one of a contact's four phones."""
    if kind not in PHONE_TYPES:
        raise BookkeepingError(f"a contact has no phone {kind}")
    others = [
        p for p in records_of(books.contact(contact_id).get("Phones")) if text_of(p, "PhoneType") != kind
    ]
    return edit(books, contact_id, {"Phones": [*others, phone(kind, *parts)]}, now)


def set_status(books: Books, contact_id: str, status: str, now: datetime) -> Change:
    """Archive a contact, which lists hide from then on, restore it, or note a request under the GDPR."""
    if status not in {"ACTIVE", "ARCHIVED", "GDPRREQUEST"}:
        raise BookkeepingError(f"a contact is never {status}")
    return edit(books, contact_id, {"ContactStatus": status}, now)


def merge(books: Books, contact_id: str, into_id: str, now: datetime) -> list[Change]:
    """Merge a contact into another: it is archived and says where it went, and its documents move.

    The documents are rewritten without a word: nothing of Xero's says that a merge touches their time of
    change, so a reader who counted on it would be let down.
    """
    if contact_id == into_id or "MergedToContactID" in books.contact(contact_id):
        raise BookkeepingError(f"contact {contact_id} cannot be merged into {into_id}")
    survivor = books.contact(into_id)
    gone: Record = {"ContactStatus": "ARCHIVED", "MergedToContactID": into_id}
    for record in list(books.invoices_of(contact_id)):
        books.keep_invoice(record | {"Contact": contact_stub(survivor)})
    for credit_id, record in books.credits.items():
        if text_of(record_of(record["Contact"]), "ContactID") == contact_id:
            books.credits[credit_id] = record | {"Contact": contact_stub(survivor)}
    return [edit(books, contact_id, gone, now), edit(books, into_id, {}, now)]


def add_group(books: Books, name: str) -> Group:
    """Make a contact group. Raises ``BookkeepingError`` where the name is taken or there are too many."""
    standing = [group for group in books.groups.values() if group.status == "ACTIVE"]
    if not name or name in {group.name for group in standing} or len(standing) >= MOST_GROUPS:
        raise BookkeepingError(f"no contact group of that name can be made, or there are {MOST_GROUPS}")
    group = Group(str(uuid.uuid4()), name)
    books.groups[group.group_id] = group
    return group


def rename_group(books: Books, group_id: str, name: str) -> Group:
    """Give a contact group another name. Whether Xero counts its members as changed is not documented."""
    group = books.group(group_id)
    if not name or any(one.name == name and one.status == "ACTIVE" for one in books.groups.values()):
        raise BookkeepingError("no contact group can have that name")
    group.name = name
    return group


def join(books: Books, group_id: str, contact_ids: Sequence[str], now: datetime) -> list[Change]:
    """Put contacts into a group; each that was not in it yet counts as changed."""
    group = books.group(group_id)
    new = [contact_id for contact_id in contact_ids if contact_id not in group.members]
    for contact_id in new:
        books.contact(contact_id)
    group.members.update(new)
    return _touched(books, new, now)


def leave(books: Books, group_id: str, contact_ids: Iterable[str], now: datetime) -> list[Change]:
    """Take contacts out of a group; each that was in it counts as changed."""
    group = books.group(group_id)
    gone = sorted(group.members & set(contact_ids))
    group.members.difference_update(gone)
    return _touched(books, gone, now)


def delete_group(books: Books, group_id: str, now: datetime) -> list[Change]:
    """Delete a group; its members are in it no longer."""
    group = books.group(group_id)
    changes = leave(books, group_id, set(group.members), now)
    group.status = "DELETED"
    return changes


def _touched(books: Books, contact_ids: Iterable[str], now: datetime) -> list[Change]:
    return [edit(books, contact_id, {}, now) for contact_id in contact_ids]
