"""The accountant's verbs about contacts and contact groups."""

from collections.abc import Callable, Sequence

from deployments.sandbox import addressbook
from deployments.sandbox.books import Books, Change
from deployments.sandbox.control_records import GroupSummary, Person
from deployments.sandbox.control_types import ContactSummary
from deployments.sandbox.control_verbs import TenantVerbs
from deployments.sandbox.credentials import TENANT_ID
from deployments.sandbox.documents import PHONE_TYPES, address, phone
from deployments.sandbox.summaries import contact_summary, group_summary
from deployments.sandbox.wire import Json, Record


class ContactVerbs(TenantVerbs):
    """What an accountant does to contacts, their persons and their groups."""

    def verbs(self) -> dict[str, Callable[..., object]]:
        """The verbs by name."""
        return {
            "contacts": self.contacts,
            "contact": self.contact,
            "add_contact": self.add_contact,
            "edit_contact": self.edit_contact,
            "set_phone": self.set_phone,
            "set_email": self.set_email,
            "archive_contact": self.archive_contact,
            "set_contact_status": self.set_contact_status,
            "merge_contacts": self.merge_contacts,
            "groups": self.groups,
            "add_group": self.add_group,
            "rename_group": self.rename_group,
            "join_group": self.join_group,
            "leave_group": self.leave_group,
            "delete_group": self.delete_group,
        }

    def contacts(self, *, tenant_id: str = TENANT_ID) -> list[ContactSummary]:
        """Every contact, archived ones too."""
        return [contact_summary(record) for record in self.books(tenant_id).contacts.values()]

    def contact(self, contact_id: str, *, tenant_id: str = TENANT_ID) -> ContactSummary:
        """One contact."""
        return contact_summary(self.books(tenant_id).contact(contact_id))

    def add_contact(
        self,
        name: str,
        *,
        mobile: tuple[str, str, str] = ("", "", ""),
        email: str = "",
        country: str = "",
        currency: str = "NZD",
        number: str = "",
        tenant_id: str = TENANT_ID,
    ) -> ContactSummary:
        """Enter a contact; ``mobile`` is country code, area code and number as typed."""
        books = self.books(tenant_id)
        numbered: Record = {"ContactNumber": number} if number else {}
        phones: list[Json] = [phone(kind, *(mobile if kind == "MOBILE" else ())) for kind in PHONE_TYPES]
        change = addressbook.add(
            books,
            name,
            self.now,
            EmailAddress=email,
            Phones=phones,
            DefaultCurrency=currency,
            Addresses=[address("STREET", "", ""), address("POBOX", "", country)],
            **numbered,
        )
        return self._rung(books, change)

    def edit_contact(
        self,
        contact_id: str,
        *,
        name: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        persons: list[Person] | None = None,
        city: str | None = None,
        country: str | None = None,
        tenant_id: str = TENANT_ID,
    ) -> ContactSummary:
        """Change names, the persons (all of them at once) or the address."""
        books = self.books(tenant_id)
        typed: dict[str, str | None] = {"Name": name, "FirstName": first_name, "LastName": last_name}
        changed: Record = {field: value for field, value in typed.items() if value is not None}
        if persons is not None:
            changed["ContactPersons"] = [_person(one) for one in persons]
        if city is not None or country is not None:
            box = address("POBOX", city or "", country or "")
            changed["Addresses"] = [address("STREET", "", ""), box]
        return self._rung(books, addressbook.edit(books, contact_id, changed, self.now))

    def set_phone(
        self,
        contact_id: str,
        number: str,
        *,
        country: str = "",
        area: str = "",
        kind: str = "MOBILE",
        tenant_id: str = TENANT_ID,
    ) -> ContactSummary:
        """Type a number into one of a contact's phones."""
        books, parts = self.books(tenant_id), (country, area, number)
        return self._rung(books, addressbook.set_phone(books, contact_id, kind, parts, self.now))

    def set_email(self, contact_id: str, email: str, *, tenant_id: str = TENANT_ID) -> ContactSummary:
        """Change a contact's email address."""
        books = self.books(tenant_id)
        return self._rung(books, addressbook.edit(books, contact_id, {"EmailAddress": email}, self.now))

    def archive_contact(self, contact_id: str, *, tenant_id: str = TENANT_ID) -> ContactSummary:
        """Archive a contact."""
        return self.set_contact_status(contact_id, "ARCHIVED", tenant_id=tenant_id)

    def set_contact_status(
        self, contact_id: str, status: str, *, tenant_id: str = TENANT_ID
    ) -> ContactSummary:
        """Archive or restore a contact, or note a request under the GDPR (``GDPRREQUEST``)."""
        books = self.books(tenant_id)
        return self._rung(books, addressbook.set_status(books, contact_id, status, self.now))

    def merge_contacts(self, contact_id: str, into_id: str, *, tenant_id: str = TENANT_ID) -> ContactSummary:
        """Merge a contact into another, which is what is left."""
        books = self.books(tenant_id)
        self.ring(addressbook.merge(books, contact_id, into_id, self.now))
        return contact_summary(books.contact(into_id))

    def groups(self, *, tenant_id: str = TENANT_ID) -> list[GroupSummary]:
        """Every contact group, deleted ones too."""
        return [group_summary(group) for group in self.books(tenant_id).groups.values()]

    def add_group(self, name: str, *, tenant_id: str = TENANT_ID) -> GroupSummary:
        """Make a contact group."""
        return group_summary(addressbook.add_group(self.books(tenant_id), name))

    def rename_group(self, group_id: str, name: str, *, tenant_id: str = TENANT_ID) -> GroupSummary:
        """Give a contact group another name."""
        return group_summary(addressbook.rename_group(self.books(tenant_id), group_id, name))

    def join_group(
        self, group_id: str, contact_ids: list[str], *, tenant_id: str = TENANT_ID
    ) -> GroupSummary:
        """Put contacts into a group."""
        books = self.books(tenant_id)
        return self._rung_group(books, group_id, addressbook.join(books, group_id, contact_ids, self.now))

    def leave_group(
        self, group_id: str, contact_ids: list[str], *, tenant_id: str = TENANT_ID
    ) -> GroupSummary:
        """Take contacts out of a group."""
        books = self.books(tenant_id)
        return self._rung_group(books, group_id, addressbook.leave(books, group_id, contact_ids, self.now))

    def delete_group(self, group_id: str, *, tenant_id: str = TENANT_ID) -> GroupSummary:
        """Delete a contact group."""
        books = self.books(tenant_id)
        return self._rung_group(books, group_id, addressbook.delete_group(books, group_id, self.now))

    def _rung(self, books: Books, change: Change) -> ContactSummary:
        self.ring([change])
        return contact_summary(books.contact(change.resource_id))

    def _rung_group(self, books: Books, group_id: str, changes: Sequence[Change]) -> GroupSummary:
        self.ring(changes)
        return group_summary(books.group(group_id))


def _person(person: Person) -> Record:
    return {
        "FirstName": person.first_name,
        "LastName": person.last_name,
        "EmailAddress": person.email,
        "IncludeInEmails": person.in_emails,
    }
