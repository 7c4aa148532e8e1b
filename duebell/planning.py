"""Planning: from what the ledger knows of an invoice to what is owed to whom, and whether to say it now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from duebell.errors import ConfigurationError
from duebell.keys import INVOICE_ISSUED, contact_recipient, dedup_key
from duebell.ledger import notifications, preferences, snapshots
from duebell.ledger.notifications import Owed
from duebell.ledger.snapshots import ReadInvoice
from duebell.ledger.tables import Notification, Tenant
from duebell.ledger.writing import Writing
from duebell.model import Contact
from duebell.phone import PhoneFound, best_mobile
from duebell.policy import Circumstances, Verdict, on_invoice_issued
from duebell.policy_file import Policy
from duebell.states import WAITING, NotificationState, Sending, lower


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator decided: the policy, and how far any tenant may send."""

    policy: Policy
    ceiling: Sending


@dataclass(frozen=True, slots=True)
class Known:
    """All that a decision about one invoice rests on, as it stands in the ledger."""

    tenant: Tenant
    read: ReadInvoice
    contact: Contact | None
    refusals: dict[str, str]


def known_of(session: Session, tenant_id: str, invoice_ids: Sequence[str]) -> dict[str, Known]:
    """What the ledger knows of these invoices, by id; an invoice that was never read is not among them."""
    tenant = session.get(Tenant, tenant_id)
    if tenant is None:
        raise ConfigurationError(f"tenant {tenant_id} is not connected: run `duebell connect`")
    read = snapshots.read_invoices(session, tenant_id, invoice_ids)
    contact_ids = [one.invoice.contact_id for one in read.values() if one.invoice.contact_id]
    contacts = snapshots.read_contacts(session, tenant_id, contact_ids)
    found = {
        contact_id: best_mobile(kept.contact.phones, kept.contact.country, tenant.country)
        for contact_id, kept in contacts.items()
    }
    numbers = [phone.e164 for phone in found.values() if isinstance(phone, PhoneFound)]
    refusals = preferences.refusals(session, numbers)
    return {
        invoice_id: Known(
            tenant,
            one,
            contacts[one.invoice.contact_id].contact if one.invoice.contact_id in contacts else None,
            refusals,
        )
        for invoice_id, one in read.items()
    }


def decide(known: Known, rules: Rules, *, seen_at: datetime, forced: bool, now: datetime) -> Verdict:
    """Whether the customer is told now. ``forced``: a person wants it said, however old it is."""
    about = Circumstances(
        policy=rules.policy,
        sending=lower(rules.ceiling, Sending(known.tenant.sending)),
        country=known.tenant.country,
        timezone=known.tenant.timezone,
        seen_at=seen_at,
        now=now,
        known_before_connecting=known.read.known_before_connecting and not forced,
        refusals=known.refusals,
    )
    invoice = replace(known.read.invoice, issued_on=None) if forced else known.read.invoice
    return on_invoice_issued(invoice, known.contact, about)


def owed_for(tenant_id: str, known: Known, standing_key: str | None = None) -> Owed:
    """Who is owed the news of an issued invoice: its contact, once, under the key that may stand already."""
    invoice = known.read.invoice
    contact_id = invoice.contact_id or "none"
    key = dedup_key(tenant_id, INVOICE_ISSUED, invoice.invoice_id, contact_recipient(contact_id))
    return Owed(standing_key or key, tenant_id, INVOICE_ISSUED, invoice.invoice_id, invoice.contact_id)


def plan_issued(
    book: Writing,
    tenant_id: str,
    known: dict[str, Known],
    rules: Rules,
    *,
    actor: str,
    flow_run_id: str | None,
) -> list[Notification]:
    """Write one notification a person for these invoices, and decide waiting ones anew.

    An invoice's first key stays: a merged or exchanged contact is no second piece of news.
    """
    rows: list[Notification] = []
    snapshots.hold(book.session, tenant_id, list(known))
    standing = notifications.of_invoices(book.session, tenant_id, INVOICE_ISSUED, list(known))
    resent = {row.subject_id for row in standing if row.generation > 0}
    keys = {row.subject_id: row.key for row in reversed(standing) if row.generation == 0}
    for invoice_id, one in sorted(known.items()):
        if invoice_id in resent:
            continue  # a person has taken over; the first notification must not come back beside theirs
        verdict = decide(one, rules, seen_at=book.now, forced=False, now=book.now)
        owed = owed_for(tenant_id, one, keys.get(invoice_id))
        rows.append(notifications.plan(book, owed, verdict, actor=actor, flow_run_id=flow_run_id))
    for row in standing:
        if row.generation > 0 and NotificationState(row.state) in WAITING:
            verdict = decide_again(row, known[row.subject_id], rules, book.now)
            again = owed_again(row)
            rows.append(notifications.plan(book, again, verdict, actor=actor, flow_run_id=flow_run_id))
    return rows


def owed_again(row: Notification) -> Owed:
    """What a planned notification owes, to be decided anew."""
    return Owed(row.key, row.tenant_id, row.kind, row.subject_id, row.contact_id, row.generation)


def decide_again(row: Notification, known: Known, rules: Rules, now: datetime) -> Verdict:
    """The verdict on a planned notification as things stand now."""
    return decide(known, rules, seen_at=row.planned_at, forced=row.generation > 0, now=now)


def plan_resend(
    book: Writing, original: Notification, known: Known, rules: Rules, *, by: str, why: str
) -> Notification:
    """A forced re-send: a new key with its generation, its reason and its author."""
    base = original.key.split("#", 1)[0]
    rows = notifications.of_invoices(book.session, original.tenant_id, original.kind, [original.subject_id])
    generation = 1 + max(row.generation for row in rows if row.key.split("#", 1)[0] == base)
    owed = Owed(
        f"{base}#{generation}",
        original.tenant_id,
        original.kind,
        original.subject_id,
        known.read.invoice.contact_id,
        generation,
        by,
        why,
    )
    verdict = decide(known, rules, seen_at=book.now, forced=True, now=book.now)
    return notifications.plan(book, owed, verdict, actor=by, flow_run_id=None)
