"""What Xero says that customers want: who is in a group of those who want no message is opted out, once.

That somebody is taken out of such a group again opts nobody in: only the person's own evidence does. And that
somebody is there whom we put there ourselves, because they had stopped, says nothing.
"""

from collections.abc import Mapping, Sequence, Set

from sqlmodel import col, select

from duebell.ledger import group_lines, snapshots, wishes
from duebell.ledger.engine import reading
from duebell.ledger.group_stops import EVIDENCE
from duebell.ledger.inserting import insert_missing
from duebell.ledger.snapshots import ReadContact
from duebell.ledger.tables import ContactSnapshot, ContactWish, Tenant
from duebell.ledger.tenants import connected
from duebell.ledger.writing import Writing, writing
from duebell.policy_file.policy import Policy
from duebell.policy_file.preferences import PreferencesPolicy
from duebell.policy_file.shapes import is_listed
from duebell.preferences.mirroring import Consent, Source, Wish
from duebell.preferences.who_stopped import number_of
from duebell.preferences.writing_back import Line, said_by_bookkeeper
from duebell.resources import Resources

AT_ONCE = 200


def note(book: Writing, tenant_id: str, contact_ids: Sequence[str], policy: Policy) -> None:
    """Remember who of these contacts, as last read, asks for no messages, and since when.

    Nothing where the policy mirrors nothing. A group that a contact was found in before says nothing new,
    whatever else is edited.
    """
    if not policy.preferences.mirror_to_twilio or not contact_ids:
        return
    tenant = book.session.get_one(Tenant, tenant_id)
    preferences = policy.for_tenant(tenant_id).preferences
    lines = group_lines.of_contacts(book.session, tenant_id, preferences.write_back_group)
    asking: dict[str, ContactWish] = {}
    gone: list[str] = []
    for contact_id, read in sorted(snapshots.read_contacts(book.session, tenant_id, contact_ids).items()):
        if not _asks(read, preferences, lines.get(contact_id)):
            gone.append(contact_id)
        elif number := number_of(read.contact, tenant.country):
            since = read.contact.updated_at or read.read_at
            new = ContactWish(tenant_id=tenant_id, contact_id=contact_id, address=number, since=since)
            asking[contact_id] = new
    _say(book, *_kept(book, tenant_id, asking, gone))


def _say(book: Writing, rows: Sequence[ContactWish], turned: Set[str]) -> None:
    """Say it by the numbers, as all do who take several of them: two orders would be a deadlock."""
    for address in sorted({row.address for row in rows} | turned):
        for row in rows:
            if row.address == address:
                wishes.said(book, address, _wish(row))
        if address in turned:
            wishes.look_again(book, address)


def _kept(
    book: Writing, tenant_id: str, asking: Mapping[str, ContactWish], gone: Sequence[str]
) -> tuple[list[ContactWish], set[str]]:
    """Keep who asks, since when it was first seen, and forget who does no more.

    Returns the rows of who asks, and the numbers of which that is news: a group that was left before Twilio
    was told is told no more, and one that was joined again is.
    """
    wanted = select(ContactWish).where(
        ContactWish.tenant_id == tenant_id, col(ContactWish.contact_id).in_([*asking, *gone])
    )
    before = {row.contact_id for row in book.session.exec(wanted).all()}
    # Another may be meeting the same contacts for the first time.
    insert_missing(book.session, [new for one, new in sorted(asking.items()) if one not in before])
    ordered = wanted.order_by(col(ContactWish.contact_id)).with_for_update()
    ordered = ordered.execution_options(populate_existing=True)
    rows = {row.contact_id: row for row in book.session.exec(ordered).all()}
    turned = {asking[one].address for one in asking if one not in before}
    for contact_id, row in rows.items():
        new = asking.get(contact_id)
        if new is None:
            turned.add(row.address)
            book.session.delete(row)
        elif row.address != new.address:
            turned |= {row.address, new.address}
            row.address = new.address
    book.session.flush()
    return [row for contact_id, row in rows.items() if contact_id in asking], turned


def _asks(read: ReadContact, preferences: PreferencesPolicy, line: Line | None) -> bool:
    """Whether the bookkeeper has the contact in one of the groups that want no message."""
    groups = said_by_bookkeeper(read.contact.groups, preferences.write_back_group, line, read.read_at)
    return any(is_listed(group, preferences.no_messages_groups) for group in groups)


def _wish(row: ContactWish) -> Wish:
    evidence, tenants = f"{EVIDENCE}{row.contact_id}", frozenset({row.tenant_id})
    return Wish(Consent.OPT_OUT, Source.XERO, row.since, evidence, tenants=tenants)


def note_all(resources: Resources) -> None:
    """The same for every contact of every organisation: what the policy names may be new."""
    for tenant in connected(resources.engine):
        after = ""
        while ids := _next(resources, tenant.tenant_id, after):
            with writing(resources.engine, resources.clock()) as book:
                note(book, tenant.tenant_id, ids, resources.policy)
            after = ids[-1]


def _next(resources: Resources, tenant_id: str, after: str) -> list[str]:
    wanted = select(ContactSnapshot.contact_id).where(
        ContactSnapshot.tenant_id == tenant_id, col(ContactSnapshot.contact_id) > after
    )
    with reading(resources.engine) as session:
        return list(session.exec(wanted.order_by(col(ContactSnapshot.contact_id)).limit(AT_ONCE)).all())
