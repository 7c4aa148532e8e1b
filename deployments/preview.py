"""``duebell preview``: what would be said, to whom, when and why; nothing is sent, nothing is changed."""

from collections import Counter
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from duebell.ledger import tenants
from duebell.resources import Resources
from duebell.showing import previewing
from duebell.showing.previewing import Preview
from duebell.states import TOLD, NotificationState

S = NotificationState

OPEN = ("go out now", "wait", "are not said")
"""What is counted even where it is none; of the rest only what there is."""

COUNTED: dict[str, str] = (
    {"goes out": "go out now", "is not said": "are not said", S.SKIPPED: "are not said"}
    | dict.fromkeys((S.CLAIMED, S.SENDING, S.SCHEDULED), "on their way")
    | dict.fromkeys(TOLD, "told before")
    | dict.fromkeys((S.UNDELIVERED, S.FAILED, S.GIVEN_UP), "did not arrive")
    | dict.fromkeys((S.UNKNOWN, S.PARKED), "of unknown outcome")
)
"""How each state is counted; any other waits."""


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
        console.print(Text(f"  {_stands(one)}{_when(one)}{f': {one.reason}' if one.reason else ''}"))
        said = f"; in {one.language}, from {one.sender}" if one.language else ""
        console.print(Text(f"  {one.rule}{said}", "dim"))
        if one.text:
            parts = f"  ({one.parts} SMS)" if one.parts else ""
            console.print(Text(f"  {one.text}{parts}"))
    console.print(Text(_counted(messages)))


def _stands(one: Preview) -> str:
    """How it stands, and that it is a re-send where it is one."""
    stands = one.state.replace("_", " ")
    if not one.resend:
        return stands
    return f"to be re-sent, {stands}" if _count_of(one) in OPEN else f"re-sent, {stands}"


def _count_of(one: Preview) -> str:
    return COUNTED.get(one.state, "wait")


def _counted(messages: Sequence[Preview]) -> str:
    counts: Counter[str] = Counter(dict.fromkeys(OPEN, 0))
    counts.update(_count_of(one) for one in messages)
    return f"{', '.join(f'{count} {name}' for name, count in counts.items())}."


def _when(one: Preview) -> str:
    zone = one.timezone
    return f" until {one.at.astimezone(ZoneInfo(zone)):%a %d %b %H:%M} ({zone})" if one.at else ""
