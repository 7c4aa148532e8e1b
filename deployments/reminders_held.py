"""Reminders that wait because they are unusually many: what doctor says of them, and who lets them go."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployments.findings import Finding
from deployments.naming import meant
from duebell.errors import ConfigurationError
from duebell.ledger import tenants, volumes
from duebell.ledger.engine import reading
from duebell.ledger.tables import Tenant
from duebell.resources import Resources


@dataclass(frozen=True, slots=True)
class Held:
    """How many reminders of an organisation wait for a person, and what its usual days were like."""

    tenant: Tenant
    reminders: int
    busiest: int
    days: int


def held(resources: Resources) -> list[Held]:
    """The organisations of which reminders wait because they are unusually many."""
    found: list[Held] = []
    for tenant in tenants.connected(resources.engine):
        days = resources.policy.for_tenant(tenant.tenant_id).limits.breaker_days
        with reading(resources.engine) as session:
            waiting = volumes.held_for_volume(session, tenant.tenant_id)
            volume = volumes.volume_of(session, tenant, resources.clock(), days)
        if waiting:
            found.append(Held(tenant, waiting, max(volume.earlier, default=0), days))
    return found


def look(resources: Resources) -> list[Finding]:
    """What doctor finds: reminders that wait for a person."""
    findings: list[Finding] = []
    for one in held(resources):
        said = f"{one.reminders} of {one.tenant.name} wait, because they are unusually many (the busiest of "
        said += f"the last {one.days} days had {one.busiest} messages): `duebell release` lets them go"
        findings.append(Finding("reminders", said, sound=False))
    return findings or [Finding("reminders", "none wait because they are unusually many")]


def chosen(waiting: Sequence[Held], name: str) -> Sequence[Held]:
    """All that wait, or those of the organisation that was named.

    Raises ``ConfigurationError`` where none of it wait.
    """
    found = named(waiting, name) if name else waiting
    if not found:
        names = ", ".join(repr(one.tenant.name) for one in waiting) or "no organisation"
        raise ConfigurationError(f"reminders wait to be released of {names}: nothing was changed")
    return found


def named(waiting: Sequence[Held], name: str) -> list[Held]:
    """Those of the organisation with this name or id. Raises ``ConfigurationError`` where several have it."""
    tenants_meant = meant(name, [one.tenant for one in waiting])
    return [one for one in waiting if one.tenant in tenants_meant]


def show(console: Console, one: Held) -> None:
    """Print how many of what would go out."""
    table = Table(show_header=False, box=None)
    table.add_row("organisation", Text(one.tenant.name))
    table.add_row("id in Xero", one.tenant.tenant_id)
    table.add_row("reminders that wait", f"{one.reminders}; of one customer's invoices one message is made")
    table.add_row("usual", f"at most {one.busiest} messages on one of the last {one.days} days")
    table.add_row("what happens", "the next sweep sends them in their hours, as far as they are still true")
    console.print(table)


def release(resources: Resources, one: Held, by: str) -> None:
    """Let them go out with the next sweep."""
    volumes.lift(resources.engine, one.tenant.tenant_id, by, one.reminders, now=resources.clock())
