"""All that a decision rests on, as it stands in the ledger."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session

from duebell.errors import ConfigurationError
from duebell.ledger import (
    announcements,
    credits,
    merges,
    payments,
    preferences,
    present,
    reminders,
    snapshots,
    themes,
    told_at_address,
    untold,
)
from duebell.ledger.announcements import Announced
from duebell.ledger.merges import MOST_MERGES
from duebell.ledger.payments import KnownPayment
from duebell.ledger.reminders import Reminder
from duebell.ledger.snapshots import ReadContact, ReadInvoice
from duebell.ledger.tables import Tenant
from duebell.ledger.told_at_address import Told
from duebell.ledger.untold import Untold
from duebell.model import Contact, InvoicePayment
from duebell.phone import PhoneFound, best_mobile
from duebell.policy.in_credit import NO_CREDIT, Balance
from duebell.policy.persons import persons_of
from duebell.policy.reaching import EMAIL, SMS, Way
from duebell.policy.teams import ways_of_team
from duebell.policy_file.policy import Policy


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows about one invoice. ``contact`` is the one that is left after merges.

    ``reminders`` are those to the contact, its addresses and the teams, ``balance`` is how the contact stands
    where it has credit that is not allocated, ``untold`` what did not reach the customer, ``announced`` when
    they were told of its issue; only reminding and the teams' news look at these. ``told`` is what went out
    to the customer by email, and to the teams. ``theme_name`` is that of the invoice's branding theme, empty
    where Xero did not tell it yet.
    """

    tenant: Tenant
    read: ReadInvoice
    contact: Contact | None
    refusals: Mapping[str, str]
    payments: tuple[KnownPayment, ...] = field(default=())
    reminders: tuple[Reminder, ...] = field(default=())
    balance: Balance = NO_CREDIT
    contact_version: int | None = None
    untold: tuple[Untold, ...] = field(default=())
    told: tuple[Told, ...] = field(default=())
    theme_name: str = ""
    announced: tuple[Announced, ...] = field(default=())

    @property
    def contact_id(self) -> str | None:
        """Whom the invoice is addressed to, merges followed."""
        return self.contact.contact_id if self.contact else self.read.invoice.contact_id

    def today(self, now: datetime) -> date:
        """The day of the organisation's calendar: by it Xero itself tells what is overdue."""
        return now.astimezone(ZoneInfo(self.tenant.timezone)).date()

    def payment(self, subject_id: str) -> InvoicePayment | None:
        """The payment of this subject as the invoice lists it now; nothing where it was removed."""
        ids = {one.payment_id for one in self.payments if one.subject_id == subject_id}
        return next((one for one in self.read.invoice.payments if one.payment_id in ids), None)


def known_of(session: Session, tenant_id: str, invoice_ids: Sequence[str]) -> dict[str, Known]:
    """What the ledger knows of these invoices, by id; an invoice that was never read is not among them."""
    tenant = present.tenant(session, tenant_id)
    if tenant is None:
        raise ConfigurationError(f"tenant {tenant_id} is not connected: run `duebell connect`")
    read = snapshots.read_invoices(session, tenant_id, invoice_ids)
    contacts = _contacts(session, tenant_id, (one.invoice.contact_id for one in read.values()))
    refusals = _refusals(session, [one.contact for one in contacts.values()], tenant.country)
    paid = payments.of_invoices(session, tenant_id, invoice_ids)
    return {
        invoice_id: _known(tenant, one, contacts.get(one.invoice.contact_id or ""), refusals, paid)
        for invoice_id, one in read.items()
    }


def _known(
    tenant: Tenant,
    read: ReadInvoice,
    to: ReadContact | None,
    refusals: Mapping[str, str],
    paid: Mapping[str, tuple[KnownPayment, ...]],
) -> Known:
    payments_ = paid.get(read.invoice.invoice_id, ())
    theme = themes.names_of(tenant).get(read.invoice.branding_theme_id or "", "")
    if to is None:
        return Known(tenant, read, None, refusals, payments_, theme_name=theme)
    return Known(tenant, read, to.contact, refusals, payments_, contact_version=to.version, theme_name=theme)


def _contacts(session: Session, tenant_id: str, ids: Iterable[str | None]) -> dict[str, ReadContact]:
    """The contacts by the ids that were asked for, each as the one that it was merged into."""
    read: dict[str, ReadContact] = {}
    wanted = {one for one in ids if one}
    missing = wanted
    for _ in range(MOST_MERGES):
        read |= snapshots.read_contacts(session, tenant_id, sorted(missing))
        missing = {one.contact.merged_to for one in read.values() if one.contact.merged_to} - set(read)
        if not missing:
            break
    return {one: _survivor(read[one], read) for one in wanted if one in read}


def _survivor(one: ReadContact, read: Mapping[str, ReadContact]) -> ReadContact:
    """The end of a chain of merges. Where it was never read, the archived contact stands, and is closed."""
    for _ in range(MOST_MERGES):
        following = read.get(one.contact.merged_to or "")
        if following is None:
            return one
        one = following
    return one


def with_told(
    session: Session, tenant_id: str, known: Mapping[str, Known], channels: Collection[str], *, teams: bool
) -> dict[str, Known]:
    """The same, with what was told of the invoices by email and, if it is about them, to the ``teams``."""
    asked = teams or EMAIL in channels
    found = told_at_address.of_invoices(session, tenant_id, list(known)) if asked else {}
    return {invoice_id: replace(one, told=found.get(invoice_id, ())) for invoice_id, one in known.items()}


WEEK = timedelta(days=7)


def with_reminders(
    session: Session, tenant_id: str, known: Mapping[str, Known], policy: Policy, now: datetime
) -> dict[str, Known]:
    """The same, with what reminders and the teams' news rest on beside: what they have to keep their distance
    from, the customers' credit, and what did not reach a customer.
    """
    gap = timedelta(days=policy.invoice_overdue.gap_days)
    contacts = {one.contact.contact_id: one for one in known.values() if one.contact}
    teams = [way for name, team in policy.team.items() for way in ways_of_team(name, team).values()]
    addresses = {way.address for way in teams}
    for one in contacts.values():
        addresses.update(addresses_of(one))
    survivors = merges.survivors(session, tenant_id, contacts)
    earliest = now - max(gap, WEEK) - timedelta(days=2)
    found = reminders.since(session, tenant_id, earliest, survivors, addresses)
    announced = announcements.of_invoices(session, tenant_id, earliest, known, survivors)
    closed = _closed_to(session, teams)
    stand = credits.balances(session, tenant_id, survivors)
    unreached = untold.of_invoices(session, tenant_id, known)
    return {
        invoice_id: replace(
            one,
            reminders=found,
            refusals={**one.refusals, **closed},
            balance=stand.get(one.contact_id or "", NO_CREDIT),
            untold=unreached.get(invoice_id, ()),
            announced=announced.get(invoice_id, ()),
        )
        for invoice_id, one in known.items()
    }


def _closed_to(session: Session, teams: Iterable[Way]) -> dict[str, str]:
    ways = list(teams)
    sms, emails = ([way.address for way in ways if way.channel == channel] for channel in (SMS, EMAIL))
    return preferences.refusals(session, sms, SMS) | preferences.refusals(session, emails, EMAIL)


def _refusals(session: Session, contacts: Iterable[Contact], country: str) -> dict[str, str]:
    everyone = list(contacts)
    emails = [address for one in everyone for address in _emails(one)]
    return {
        **preferences.refusals(session, _numbers(everyone, country), SMS),
        **preferences.refusals(session, emails, EMAIL),
    }


def addresses_of(one: Known) -> list[str]:
    """Every address at which the customer may be told."""
    if one.contact is None:
        return []
    return [*_numbers([one.contact], one.tenant.country), *_emails(one.contact)]


def _emails(contact: Contact) -> list[str]:
    """The contact's address and those of the persons who are told beside it."""
    return [*filter(None, [contact.email]), *(one.email for one in persons_of(contact).values())]


def _numbers(contacts: Iterable[Contact], country: str) -> list[str]:
    found = (best_mobile(one.phones, one.country, country) for one in contacts)
    return [one.e164 for one in found if isinstance(one, PhoneFound)]
