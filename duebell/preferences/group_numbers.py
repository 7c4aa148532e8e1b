"""Whose numbers are in a group of Xero of those who want no message, and who else is told at such a number.

An opt-out at Twilio is a number's and not a contact's: it would silence all who share it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlmodel import select

from duebell.deciding.senders import mirrored_senders
from duebell.ledger import tenants
from duebell.ledger.engine import reading
from duebell.ledger.group_stops import GroupStop
from duebell.ledger.tables import ContactWish
from duebell.preferences.who_stopped import numbers
from duebell.resources import Resources


@dataclass(frozen=True, slots=True)
class GroupNumbers:
    """The numbers of the contacts in such groups; ``others``: at which senders of ours other contacts are
    told at them, by number.
    """

    asked: frozenset[str] = field(default_factory=frozenset[str], repr=False)
    others: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]], repr=False)

    def spares(self, address: str) -> frozenset[str]:
        """The senders at which Twilio is told nothing of this number."""
        return self.others.get(address, frozenset())

    def is_wrong(self, stop: GroupStop) -> bool:
        """Whether Twilio blocks a number for a group that no contact of it, or not each, is in."""
        return stop.is_left or bool(self.spares(stop.address) & {*stop.senders})


def look(resources: Resources) -> GroupNumbers:
    """Look through all contacts that are in use, where any is in such a group: it takes a while."""
    with reading(resources.engine) as session:
        rows = session.exec(select(ContactWish)).all()
        asked = frozenset(row.address for row in rows)
        members = {(row.tenant_id, row.contact_id) for row in rows}
        others: dict[str, frozenset[str]] = {}
        for tenant in tenants.connected(resources.engine) if asked else ():
            senders = mirrored_senders(resources.policy.for_tenant(tenant.tenant_id), resources.settings)
            for contact_id, number in numbers(session, tenant).items():
                if number in asked and (tenant.tenant_id, contact_id) not in members:
                    others[number] = others.get(number, frozenset()) | senders
    return GroupNumbers(asked, others)
