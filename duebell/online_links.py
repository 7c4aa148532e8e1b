"""Where customers see their invoices online: asked for once an invoice, and only for what is about to say it.

Xero has no list of these addresses: each costs a call (XeroAPI/xero-php-oauth2#207). So none is asked for
while the day's last calls are kept for what leads to a message, nobody waits for a minute's limit because of
one, and a message goes out without it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlmodel import Session

from duebell.access import XeroAccess
from duebell.calls import waits_until
from duebell.deciding import subject_of
from duebell.errors import BadAnswer, DuebellError, RecordNotFound
from duebell.known import Known, known_of
from duebell.ledger import calls, legs, present, snapshots
from duebell.ledger.engine import reading
from duebell.ledger.tables import Notification
from duebell.message_text import telling_of, template_of, tongue_for
from duebell.model import InvoiceStatus, InvoiceType
from duebell.reaching import EMAIL, SMS
from duebell.resources import Resources
from duebell.states import WAITING, NotificationState
from duebell.template_folders import PAGE, SMS_TEXT, TEXT
from duebell.template_links import SaysLinks
from duebell.wording import Told

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
        due = [row for row in rows if _is_due(row, now)]
        known = known_of(session, tenant_id, [row.invoice_id for row in due])
        found = [
            row.invoice_id
            for row in due
            if row.invoice_id in known and _says_link(resources, session, row, known[row.invoice_id])
        ]
    return list(dict.fromkeys(found))


def _is_due(row: Notification, now: datetime) -> bool:
    return NotificationState(row.state) in WAITING and row.not_before is not None and row.not_before <= now


def _says_link(resources: Resources, session: Session, row: Notification, known: Known) -> bool:
    """Whether its message says the link of this invoice, which can have one that nobody has asked for."""
    invoice, channel = known.read.invoice, legs.current(session, row).channel
    can_have_one = invoice.type is InvoiceType.SALE and invoice.status in HAVE_ONE
    telling = telling_of([Told(subject_of(row), known)], resources.policy, resources.clock())
    says_it = not telling.subject.team and channel in telling.policy.of_kind(row.kind).online_link
    if known.read.online_link or not can_have_one or not says_it:
        return False
    folder = f"{template_of(telling)}/{tongue_for(resources.templates, telling, channel).language}"
    said = SaysLinks()
    for part in WORDS[channel]:
        said |= resources.templates.says_links(folder, part)
    return said.each or (said.first and row.lead_id is None)
