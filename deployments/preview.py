"""``duebell preview``: what would be said, to whom, when and why; nothing is sent, nothing is changed."""

from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from duebell import previewing
from duebell.ledger import tenants
from duebell.previewing import Preview
from duebell.resources import Resources


def main(console: Console, resources: Resources, invoice: str) -> None:
    """Print the messages about one invoice, or those of the next sweep of every organisation."""
    if invoice:
        _show(console, previewing.of_invoice(resources, invoice))
        return
    for tenant in tenants.any_connected(resources.engine):
        console.print(Text(tenant.name, "bold"))
        _show(console, previewing.of_sweep(resources, tenant.tenant_id))


def _show(console: Console, messages: list[Preview]) -> None:
    for one in messages:
        stage = f", stage {one.stage}" if one.stage else ""
        about = f"{one.kind.replace('_', ' ')}{stage}: {', '.join(one.invoices[:4])}"
        more = f" and {len(one.invoices) - 4} more" if len(one.invoices) > 4 else ""
        console.print(Text.assemble((f"{about}{more}", "bold"), f" to {one.to} {one.channel}".rstrip()))
        console.print(Text(f"  {one.state}{_when(one)}{f': {one.reason}' if one.reason else ''}"))
        said = f"; in {one.language}, from {one.sender}" if one.language else ""
        console.print(Text(f"  {one.rule}{said}", "dim"))
        if one.text:
            parts = f"  ({one.parts} SMS)" if one.parts else ""
            console.print(Text(f"  {one.text}{parts}"))
    sent = sum(one.state == "goes out" for one in messages)
    silent = sum(one.state == "is not said" for one in messages)
    console.print(Text(f"{sent} go out now, {len(messages) - sent - silent} wait, {silent} are not said."))


def _when(one: Preview) -> str:
    zone = one.timezone
    return f" until {one.at.astimezone(ZoneInfo(zone)):%a %d %b %H:%M} ({zone})" if one.at else ""
