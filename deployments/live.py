"""What a person is shown before an organisation may send."""

from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlmodel import func, select

from duebell.ledger import reviewed
from duebell.ledger.engine import reading
from duebell.ledger.tables import InvoiceSnapshot, Tenant
from duebell.model import InvoiceStatus, InvoiceType
from duebell.reaching import SMS
from duebell.resources import Resources
from duebell.senders import sender_of


def show_before_live(console: Console, resources: Resources, tenant: Tenant) -> None:
    """Print the organisation, its currency, its open invoices, the sender, and what waits from the review."""
    settings = resources.settings
    open_invoices = _open_invoices(resources, tenant)
    table = Table(show_header=False, box=None)
    table.add_row("organisation", Text(tenant.name))
    table.add_row("currency", tenant.base_currency)
    table.add_row("open sales invoices", f"{open_invoices}; nobody is told of those that were there before")
    table.add_row("planned in review", str(_kept_in(resources, tenant)))
    named = resources.policy.for_tenant(tenant.tenant_id).sending.sender
    table.add_row("sender", sender_of(settings, SMS, named) or "none: set TWILIO_FROM")
    table.add_row("ceiling", f"DUEBELL_SENDING is {settings.sending.value}")
    console.print(table)


def _open_invoices(resources: Resources, tenant: Tenant) -> int:
    wanted = (
        select(func.count())
        .select_from(InvoiceSnapshot)
        .where(
            InvoiceSnapshot.tenant_id == tenant.tenant_id,
            InvoiceSnapshot.type == InvoiceType.SALE.value,
            InvoiceSnapshot.status == InvoiceStatus.AUTHORISED.value,
        )
    )
    with reading(resources.engine) as session:
        return session.exec(wanted).one()


def _kept_in(resources: Resources, tenant: Tenant) -> int:
    with reading(resources.engine) as session:
        return reviewed.counts(session).get(tenant.tenant_id, 0)
