"""What a person is shown before an organisation may send."""

from rich.console import Console
from rich.table import Table
from sqlmodel import func, select

from duebell.ledger.engine import reading
from duebell.ledger.tables import InvoiceSnapshot, Notification, Tenant
from duebell.resources import Resources


def show_before_live(console: Console, resources: Resources, tenant: Tenant) -> None:
    """Print the organisation, its currency, its open invoices, the sender, and what waits from the review."""
    settings = resources.settings
    with reading(resources.engine) as session:
        open_invoices = session.exec(
            select(func.count())
            .select_from(InvoiceSnapshot)
            .where(
                InvoiceSnapshot.tenant_id == tenant.tenant_id,
                InvoiceSnapshot.type == "sale",
                InvoiceSnapshot.status == "authorised",
            )
        ).one()
        held = session.exec(
            select(func.count())
            .select_from(Notification)
            .where(Notification.tenant_id == tenant.tenant_id, Notification.reason == "in_review")
        ).one()
    table = Table(show_header=False, box=None)
    table.add_row("organisation", tenant.name)
    table.add_row("currency", tenant.base_currency)
    table.add_row("open sales invoices", f"{open_invoices}; nobody is told of those that were there before")
    table.add_row("planned in review", str(held))
    table.add_row(
        "sender", settings.twilio_messaging_service_sid or settings.twilio_from or "none: set TWILIO_FROM"
    )
    table.add_row("ceiling", f"DUEBELL_SENDING is {settings.sending.value}")
    console.print(table)
