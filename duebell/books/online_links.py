"""Where customers see their invoices online: asked for once an invoice, and only for what is about to say it.

Xero has no list of these addresses: each costs a call (XeroAPI/xero-php-oauth2#207). So none is asked for
while the day's last calls are kept for what leads to a message, nobody waits for a minute's limit because of
one, and a message goes out without it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from sqlmodel import Session

from duebell.books.access import XeroAccess
from duebell.books.calls import waits_until
from duebell.deciding.deciding import subject_of
from duebell.deciding.known import Known, known_of
from duebell.errors import BadAnswer, DuebellError, RecordNotFound
from duebell.keys import is_contact
from duebell.ledger import calls, groups, legs, present, snapshots
from duebell.ledger.engine import reading
from duebell.ledger.tables import Notification
from duebell.model import InvoiceStatus, InvoiceType
from duebell.policy.reaching import EMAIL, SMS
from duebell.render.message_text import telling_of, template_of, tongue_for
from duebell.render.template_folders import PAGE, SMS_TEXT, TEXT
from duebell.render.template_links import SaysLinks
from duebell.render.wording import Told, listed_in
from duebell.resources import Resources

LONGEST = timedelta(seconds=20)
"""How long one run asks for links: its messages, and the read of their invoices, grow older meanwhile."""

WORDS = {SMS: (SMS_TEXT,), EMAIL: (TEXT, PAGE)}
"""The parts of a message that may say a link; a subject is none of them."""

HAVE_ONE = frozenset({InvoiceStatus.AUTHORISED, InvoiceStatus.PAID})


def fetch(access: XeroAccess, kind: str, invoice_ids: Sequence[str]) -> int:
    """Have the links that the messages about these invoices will say; returns how many were asked for.

    Raises nothing of Xero's: a link that cannot be had now is left out.
    """
    resources, tenant_id, asked = access.resources, access.tenant.tenant_id, 0
    until = resources.clock() + LONGEST
    for invoice_id in wanted(resources, tenant_id, kind, invoice_ids):
        now = resources.clock()
        if now >= until or waits_until(calls.standing(resources.engine, tenant_id), now):
            break
        asked += 1
        try:
            link = access.ask(_asking(access, invoice_id))
        except (RecordNotFound, BadAnswer):
            continue
        except DuebellError:
            break
        snapshots.keep_link(resources.engine, tenant_id, invoice_id, link, now=now)
    return asked


def _asking(access: XeroAccess, invoice_id: str) -> Callable[[], str]:
    return lambda: access.client.online_link(invoice_id)


def wanted(resources: Resources, tenant_id: str, kind: str, invoice_ids: Sequence[str]) -> list[str]:
    """The invoices whose link a message that is about to go out says, and which nobody has asked for."""
    section = resources.policy.for_tenant(tenant_id).of_kind(kind)
    if not section.online_link:
        return []
    now = resources.clock()
    with reading(resources.engine) as session:
        rows = present.of_invoices(session, tenant_id, kind, invoice_ids)
        messages = _messages(session, [row for row in rows if groups.is_due(row, now)])
        ids = [row.invoice_id for message in messages for row in message]
        known = known_of(session, tenant_id, list(dict.fromkeys(ids)))
        said = [one for message in messages for one in _said_in(resources, session, message, known)]
    return list(dict.fromkeys(one.read.invoice.invoice_id for one in said if _can_have_another(one)))


def _messages(session: Session, rows: Sequence[Notification]) -> list[list[Notification]]:
    """The messages to customers in which these are told, each whole, what leads it first."""
    leads = dict.fromkeys(
        row.lead_id or row.notification_id or 0 for row in rows if is_contact(row.recipient)
    )
    return [[present.notification(session, one), *groups.of_lead(session, one)] for one in leads]


def _said_in(
    resources: Resources, session: Session, message: Sequence[Notification], known: Mapping[str, Known]
) -> list[Known]:
    """The invoices whose link a message says."""
    told = [Told(subject_of(row), known[row.invoice_id]) for row in message if row.invoice_id in known]
    if not told:
        return []
    channel = legs.current(session, message[0]).channel
    telling = telling_of(told, resources.policy, resources.clock())
    if channel not in telling.policy.of_kind(telling.subject.kind).online_link:
        return []
    folder = f"{template_of(telling)}/{tongue_for(resources.templates, telling, channel).language}"
    said = SaysLinks()
    for part in WORDS[channel]:
        said |= resources.templates.says_links(folder, part)
    listed = listed_in(telling)
    return listed if said.each else listed[: said.first]


def _can_have_another(known: Known) -> bool:
    """Whether there may be a link that nobody has asked for."""
    invoice = known.read.invoice
    return not known.read.online_link and invoice.type is InvoiceType.SALE and invoice.status in HAVE_ONE
