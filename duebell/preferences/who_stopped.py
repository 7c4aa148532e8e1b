"""Who stopped, laid out for the contact group of each organisation that shows it."""

from sqlmodel import Session, col, select

from duebell.ledger import group_lines, tenants
from duebell.ledger.engine import reading
from duebell.ledger.group_lines import Group
from duebell.ledger.tables import ContactSnapshot, Tenant
from duebell.ledger.writing import writing
from duebell.model import Contact, ContactStatus
from duebell.phone import PhoneFound, best_mobile
from duebell.resources import Resources
from duebell.xero.parse import parse_contact_body


def number_of(contact: Contact, country: str) -> str:
    """The number by which a contact is texted; empty where it has none."""
    found = best_mobile(contact.phones, contact.country, country)
    return found.e164 if isinstance(found, PhoneFound) else ""


def lay_out(resources: Resources, *, everything: bool) -> list[str]:
    """Lay out who stopped for the groups that the policy names; returns the organisations to look at now.

    ``everything``: also those where all is as it should be, for the bookkeeper may have changed it.
    """
    policy, connected = resources.policy, tenants.connected(resources.engine)
    if not policy.writes_back:
        return []
    named = {
        one.tenant_id: name
        for one in connected
        if (name := policy.for_tenant(one.tenant_id).preferences.write_back_group)
    }
    with reading(resources.engine) as session:
        groups = [
            Group(one.tenant_id, named[one.tenant_id], numbers(session, one))
            for one in connected
            if one.tenant_id in named
        ]
    with writing(resources.engine, resources.clock()) as book:
        group_lines.lay_out(book, groups)
        group_lines.shelve(book, named)
    with reading(resources.engine) as session:
        due = group_lines.due(session, resources.clock(), everything=everything)
        due += group_lines.named_anew(session, named)
    return [one for one in sorted(set(due)) if one in named]


def numbers(session: Session, tenant: Tenant) -> dict[str, str]:
    """The numbers of an organisation's contacts that are in use, by their ids."""
    wanted = select(ContactSnapshot.contact_id, ContactSnapshot.body).where(
        ContactSnapshot.tenant_id == tenant.tenant_id, ContactSnapshot.status == ContactStatus.ACTIVE.value
    )
    found = session.exec(wanted.order_by(col(ContactSnapshot.contact_id))).all()
    return {contact_id: number_of(parse_contact_body(body), tenant.country) for contact_id, body in found}
