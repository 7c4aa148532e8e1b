"""Xero's contact groups: which there are, who is in one, and who is put in or taken out.

Membership is a set: repeating a request whose answer was lost changes nothing more. No ``Idempotency-Key`` is
sent, for Xero would repeat a cached error under it for six minutes.
"""

import json
from collections.abc import Sequence

from duebell.errors import RecordNotFound
from duebell.xero import queries
from duebell.xero.asking import ACCOUNTING, Asker
from duebell.xero.fields import Fields
from duebell.xero.reader import read_json
from duebell.xero.records import listed

MOST_AT_ONCE = 50
"""Contacts in one request: what one of them is refused for is then looked for among few."""

PATH = f"{ACCOUNTING}/ContactGroups"


class ContactGroups:
    """The contact groups of one tenant. Its methods raise what those of ``XeroClient`` do."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def by_name(self) -> dict[str, str]:
        """The ids of the groups in use, by their names."""
        envelope = Fields.of("the answer", read_json(self._asker.ask(PATH).body))
        groups = [Fields.of("a contact group", one) for one in listed(envelope, "ContactGroups")]
        return {
            one.text("Name"): group_id
            for one in groups
            if (group_id := one.uuid("ContactGroupID")) and one.text("Status").upper() != "DELETED"
        }

    def members(self, group_id: str) -> frozenset[str]:
        """The ids of the contacts in a group. Raises ``RecordNotFound`` where it is gone."""
        asked = queries.record_ids([group_id])[0]
        answer = self._asker.ask(f"{PATH}/{asked}", one_record=True)
        envelope = Fields.of("the answer", read_json(answer.body))
        groups = [Fields.of("a contact group", one) for one in listed(envelope, "ContactGroups")]
        if not groups or groups[0].uuid("ContactGroupID") != asked:
            raise RecordNotFound(f"Xero answered to GET {PATH}/{asked} without that group")
        contacts = [Fields.of("a member", one) for one in listed(groups[0], "Contacts")]
        return frozenset(found for one in contacts if (found := one.uuid("ContactID")))

    def add(self, group_id: str, contact_ids: Sequence[str]) -> None:
        """Put these contacts in, at most ``MOST_AT_ONCE``; one that is in it already stays."""
        asked = queries.record_ids([group_id])[0]
        contacts = [{"ContactID": one} for one in queries.record_ids(contact_ids)]
        content = json.dumps({"Contacts": contacts}).encode()
        self._asker.change("PUT", f"{PATH}/{asked}/Contacts", content)

    def remove(self, group_id: str, contact_id: str) -> None:
        """Take a contact out; one that is not in it, or whose group is gone, is out already."""
        asked, contact = queries.record_ids([group_id])[0], queries.record_ids([contact_id])[0]
        try:
            self._asker.change("DELETE", f"{PATH}/{asked}/Contacts/{contact}")
        except RecordNotFound:
            return
