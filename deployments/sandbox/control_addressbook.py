"""The address book's part of the control client: contacts and their groups."""

from collections.abc import Sequence

from deployments.sandbox.control_client import ControlClient
from deployments.sandbox.control_records import GroupSummary, Person
from deployments.sandbox.control_types import ContactSummary
from deployments.sandbox.credentials import TENANT_ID


class AddressBook(ControlClient):
    """Does to contacts what an accountant does."""

    def contacts(self, tenant_id: str = TENANT_ID) -> tuple[ContactSummary, ...]:
        """Every contact of a tenant, archived ones too."""
        return self._ask("contacts", tuple[ContactSummary, ...], tenant_id=tenant_id)

    def contact(self, contact_id: str, tenant_id: str = TENANT_ID) -> ContactSummary:
        """One contact."""
        return self._ask("contact", ContactSummary, contact_id=contact_id, tenant_id=tenant_id)

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
        """Enter a contact; ``mobile`` is country code, area code and number, as typed.

        ``number`` is Xero's ContactNumber: a name of another system's own, which no edit changes.
        """
        return self._ask(
            "add_contact",
            ContactSummary,
            name=name,
            mobile=mobile,
            email=email,
            country=country,
            currency=currency,
            number=number,
            tenant_id=tenant_id,
        )

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
        """Type a number into one of a contact's four phones."""
        return self._ask(
            "set_phone",
            ContactSummary,
            contact_id=contact_id,
            number=number,
            country=country,
            area=area,
            kind=kind,
            tenant_id=tenant_id,
        )

    def set_email(self, contact_id: str, email: str, tenant_id: str = TENANT_ID) -> ContactSummary:
        """Change a contact's email address."""
        return self._ask("set_email", ContactSummary, contact_id=contact_id, email=email, tenant_id=tenant_id)

    def archive_contact(self, contact_id: str, tenant_id: str = TENANT_ID) -> ContactSummary:
        """Archive a contact."""
        return self._ask("archive_contact", ContactSummary, contact_id=contact_id, tenant_id=tenant_id)

    def edit_contact(
        self,
        contact_id: str,
        *,
        name: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        persons: Sequence[Person] | None = None,
        city: str | None = None,
        country: str | None = None,
        tenant_id: str = TENANT_ID,
    ) -> ContactSummary:
        """Change names, the persons (all of them at once, at most five) or the address."""
        return self._ask(
            "edit_contact",
            ContactSummary,
            contact_id=contact_id,
            name=name,
            first_name=first_name,
            last_name=last_name,
            persons=None if persons is None else list(persons),
            city=city,
            country=country,
            tenant_id=tenant_id,
        )

    def set_contact_status(self, contact_id: str, status: str, tenant_id: str = TENANT_ID) -> ContactSummary:
        """Archive or restore a contact, or note a request under the GDPR (``GDPRREQUEST``)."""
        return self._ask(
            "set_contact_status", ContactSummary, contact_id=contact_id, status=status, tenant_id=tenant_id
        )

    def merge_contacts(self, contact_id: str, into_id: str, tenant_id: str = TENANT_ID) -> ContactSummary:
        """Merge a contact into another; returns the one that is left."""
        return self._ask(
            "merge_contacts", ContactSummary, contact_id=contact_id, into_id=into_id, tenant_id=tenant_id
        )

    def groups(self, tenant_id: str = TENANT_ID) -> tuple[GroupSummary, ...]:
        """Every contact group, deleted ones too."""
        return self._ask("groups", tuple[GroupSummary, ...], tenant_id=tenant_id)

    def add_group(self, name: str, tenant_id: str = TENANT_ID) -> GroupSummary:
        """Make a contact group."""
        return self._ask("add_group", GroupSummary, name=name, tenant_id=tenant_id)

    def rename_group(self, group_id: str, name: str, tenant_id: str = TENANT_ID) -> GroupSummary:
        """Give a contact group another name."""
        return self._ask("rename_group", GroupSummary, group_id=group_id, name=name, tenant_id=tenant_id)

    def join_group(
        self, group_id: str, contact_ids: Sequence[str], tenant_id: str = TENANT_ID
    ) -> GroupSummary:
        """Put contacts into a group."""
        ids = list(contact_ids)
        return self._ask("join_group", GroupSummary, group_id=group_id, contact_ids=ids, tenant_id=tenant_id)

    def leave_group(
        self, group_id: str, contact_ids: Sequence[str], tenant_id: str = TENANT_ID
    ) -> GroupSummary:
        """Take contacts out of a group."""
        ids = list(contact_ids)
        return self._ask("leave_group", GroupSummary, group_id=group_id, contact_ids=ids, tenant_id=tenant_id)

    def delete_group(self, group_id: str, tenant_id: str = TENANT_ID) -> GroupSummary:
        """Delete a contact group."""
        return self._ask("delete_group", GroupSummary, group_id=group_id, tenant_id=tenant_id)
