"""Which organisations may be let send, and what a person is shown before."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlmodel import func, select

from deployments.naming import meant
from duebell.deciding.senders import sender_of
from duebell.errors import ConfigurationError
from duebell.ledger import reviewed, tenants
from duebell.ledger.engine import reading
from duebell.ledger.tables import InvoiceSnapshot, Tenant
from duebell.ledger.tenants import WentLive
from duebell.model import InvoiceStatus, InvoiceType
from duebell.policy.reaching import SMS
from duebell.resources import Resources
from duebell.states import Sending


def in_review(resources: Resources) -> list[Tenant]:
    """The organisations in review. Raises ``ConfigurationError`` where there is none.

    One that is live is among them while messages wait that DUEBELL_SENDING kept in, and keeps in no more.
    """
    with reading(resources.engine) as session:
        kept_in = reviewed.counts(session) if resources.settings.sending is Sending.LIVE else {}
    connected = tenants.connected(resources.engine)
    waiting = [one for one in connected if one.sending == "review" or one.tenant_id in kept_in]
    if not waiting:
        raise ConfigurationError("no connected organisation is in review: `duebell doctor` lists them")
    return waiting


def chosen(waiting: Sequence[Tenant], named: str) -> Sequence[Tenant]:
    """All that wait, or the one that was named. Raises ``ConfigurationError`` where that is none of them."""
    found = meant(named, waiting) if named else waiting
    if not found:
        names = ", ".join(repr(one.name) for one in waiting)
        raise ConfigurationError(f"{named!r} is not in review, but {names}: nothing was changed")
    return found


def show_before_live(console: Console, resources: Resources, tenant: Tenant) -> None:
    """Print the organisation, its currency, its open invoices, the sender, and what waits from the review."""
    settings = resources.settings
    open_invoices = _open_invoices(resources, tenant)
    table = Table(show_header=False, box=None)
    table.add_row("organisation", Text(tenant.name))
    table.add_row("id in Xero", tenant.tenant_id)
    table.add_row("currency", tenant.base_currency)
    table.add_row("open sales invoices", f"{open_invoices}; nobody is told of those that were there before")
    table.add_row("planned in review", str(_kept_in(resources, tenant)))
    named = resources.policy.for_tenant(tenant.tenant_id).sending.sender
    table.add_row("sender", sender_of(settings, SMS, named) or "none: set TWILIO_FROM")
    table.add_row("ceiling", f"DUEBELL_SENDING is {settings.sending.value}")
    console.print(table)


def is_live(resources: Resources, tenant: Tenant, ended: WentLive) -> str:
    """What a person reads of an organisation that has just gone live."""
    ceiling = resources.settings.sending
    going = f"{ended.released} planned messages will go out, {ended.dropped} from the review will not."
    if ceiling is Sending.LIVE:
        return f"{tenant.name} is live. {going}"
    first = f"Nothing but what DUEBELL_SENDING={ceiling.value} lets out goes out before that is changed."
    return f"{tenant.name} is live. {first} Then {going}"


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
