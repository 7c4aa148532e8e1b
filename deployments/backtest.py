"""``duebell backtest``: a policy played over the ledger's own past; nothing is written, sent or read anew."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployments.opening import opened
from deployments.terminal import make_console
from duebell.backtest.running import Backtest
from duebell.backtest.running import backtest as play
from duebell.backtest.tally import MOST_HEARD, Sort, Tally
from duebell.ledger import tenants
from duebell.model import CreditKind
from duebell.policy_file.policy import Policy, load_policy
from duebell.showing.facts_in_words import day_in_words
from duebell.showing.reporting import in_words

PRICE = 0.08
IN_FORCE = "in force"


def backtest(
    months: Annotated[int, typer.Option("--months", min=1, max=24, help="how far back")] = 6,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="another policy, to compare with the one in force")
    ] = None,
    price: Annotated[float, typer.Option("--price", min=0, help="what one SMS part costs")] = PRICE,
    as_json: Annotated[bool, typer.Option("--json", help="the figures as JSON")] = False,  # noqa: FBT002 - an option of typer's
) -> None:
    """Play the policy day by day over the past months of the ledger: what it would have said, and cost."""
    with opened() as resources:
        policies: dict[str, Policy] = {IN_FORCE: resources.policy}
        if policy is not None:
            policies[policy.name if policy.name != IN_FORCE else str(policy)] = load_policy(policy)
        found = [
            play(resources, tenant, policies, months, Decimal(str(price)))
            for tenant in tenants.any_connected(resources.engine)
        ]
    console = make_console()
    if as_json:
        console.print_json(json.dumps([_figures(one) for one in found]), ensure_ascii=True)
        return
    for one in found:
        show(console, one, f"{price:.4g}")


def show(console: Console, found: Backtest, price: str) -> None:
    """Print the tables of one organisation, the policies side by side."""
    days = f"{day_in_words(found.first)} to {day_in_words(found.last)}"
    console.print(Text(f"{found.tenant.name}: {found.invoices} invoices, {days}", "bold"))
    if found.unread:
        console.print(f"{found.unread} more are left out: their customers were never read from Xero.")
    if found.unread_credit:
        *others, last = (LISTS[kind] for kind in found.unread_credit)
        lists = f"{', '.join(others)} and {last}" if others else last
        console.print(f"Credit in {lists} was never read from Xero, and holds nothing here.")
    console.print(_messages(found))
    console.print(_figures_table(found.tallies, price))
    console.print(_silences(found.tallies))
    console.print(Text(ASSUMES, "dim"))


ASSUMES = (
    "Played as though Duebell had been connected and live all the time, with today's contacts and opt-outs. "
    "Before an invoice was first read its past is told by Xero's dates: a promise or an edit of that time "
    "is not known. Of credit that waits to be allocated only what Duebell has read is known, and of each "
    "credit before that what Xero's last change of it left; what waited earlier holds nothing here. Every "
    "message is taken to arrive: teams hear of customers who cannot be reached, and of no message that was "
    "lost on its way. Parts are counted on the first messages of each sort."
)


LISTS = {
    CreditKind.CREDIT_NOTE: "credit notes",
    CreditKind.OVERPAYMENT: "overpayments",
    CreditKind.PREPAYMENT: "prepayments",
}


def _table(title: str, tallies: Mapping[str, Tally]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in tallies:
        table.add_column(name, justify="right")
    return table


def _messages(found: Backtest) -> Table:
    tallies = found.tallies.values()
    table = _table("Messages", found.tallies)
    for sort in sorted({one for tally in tallies for one in tally.sorts}, key=_order(found)):
        table.add_row(_name(sort), *(str(tally.sorts.get(sort, 0)) for tally in tallies))
    table.add_section()
    table.add_row("all", *(str(tally.messages) for tally in tallies))
    return table


def _order(found: Backtest) -> Callable[[Sort], tuple[object, ...]]:
    """By kind, by whom, and along the ladder."""
    places = {name: place for place, name in enumerate(found.stages)}
    return lambda sort: (sort.kind, sort.whom, places.get(sort.stage, -1), sort.channel)


def _name(sort: Sort) -> str:
    stage = f", {sort.stage}" if sort.stage else ""
    return f"{sort.kind.replace('_', ' ')}{stage} to {sort.whom} by {sort.channel}"


Figure = Callable[[Tally], str]
FIGURES: dict[str, Figure] = {
    "SMS parts": lambda one: f"{one.parts:.0f}",
    "cost": lambda one: str(one.cost),
    "messages a day": lambda one: f"{one.messages / len(one.days):.1f}",
    "busiest day": lambda one: f"{one.busiest[1]} on {day_in_words(one.busiest[0])}",
    "quietest day": lambda one: f"{one.quietest[1]} on {day_in_words(one.quietest[0])}",
    "customers told": lambda one: str(len(one.heard)),
    "messages a customer": lambda one: _mean(one),
    "reminders of what had been paid": lambda one: str(one.had_paid),
    "days that would first ask a person": lambda one: str(len(one.asked)),
}


def _mean(one: Tally) -> str:
    return f"{sum(count for _, count in one.heard) / len(one.heard):.1f}" if one.heard else "0"


def _figures_table(tallies: Mapping[str, Tally], price: str) -> Table:
    table = _table("Figures", tallies)
    for name, figure in FIGURES.items():
        label = f"cost, at {price} a part" if name == "cost" else name
        table.add_row(label, *(figure(tally) for tally in tallies.values()))
    table.add_section()
    for place in range(MOST_HEARD):
        told = [tally.heard[place] if place < len(tally.heard) else None for tally in tallies.values()]
        if any(told):
            row = (f"{one[1]} {one[0]}" if one else "" for one in told)
            table.add_row("told most" if place == 0 else "", *row)
    return table


def _silences(tallies: Mapping[str, Tally]) -> Table:
    table = _table("Not said", tallies)
    for reason in sorted({one for tally in tallies.values() for one in tally.silent}):
        table.add_row(in_words(reason), *(str(tally.silent.get(reason, 0)) for tally in tallies.values()))
    return table


def _figures(found: Backtest) -> dict[str, Any]:
    return {
        "tenant": found.tenant.tenant_id,
        "first": found.first.isoformat(),
        "last": found.last.isoformat(),
        "invoices": found.invoices,
        "unread": found.unread,
        "unread_credit": [kind.value for kind in found.unread_credit],
        "policies": {name: _as_json(tally, found) for name, tally in found.tallies.items()},
    }


def _as_json(one: Tally, found: Backtest) -> dict[str, Any]:
    return {
        "messages": one.messages,
        "sorts": {_name(sort): one.sorts[sort] for sort in sorted(one.sorts, key=_order(found))},
        "parts": round(one.parts),
        "cost": str(one.cost),
        "days": {day.isoformat(): count for day, count in sorted(one.days.items())},
        "customers": [count for _, count in one.heard],
        "had_paid": one.had_paid,
        "asked": [day.isoformat() for day in one.asked],
        "not_said": dict(one.silent),
    }
