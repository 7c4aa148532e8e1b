"""``duebell explain``: why somebody was told about an invoice, or was not; nothing is sent or changed."""

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from deployments.opening import opened_ledger
from deployments.terminal import make_console
from duebell.showing import explaining
from duebell.showing.explanation import Explanation, Person
from duebell.showing.facts_in_words import When, clock_of

FORMATS = ["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%z"]


def explain(
    invoice: Annotated[str, typer.Argument(help="the invoice's number or its id in Xero")],
    kind: Annotated[str, typer.Option("--kind", help="one kind alone, such as invoice_overdue")] = "",
    at: Annotated[
        datetime | None,
        typer.Option("--at", formats=FORMATS, help="as it stood then, on the organisation's clock"),
    ] = None,
) -> None:
    """Say why somebody was told about an invoice, or was not: each verdict, its rule and its facts."""
    with opened_ledger() as resources:
        show(make_console(), explaining.explain(resources, invoice, kind, at))


def show(console: Console, found: Explanation) -> None:
    """Print it: what happened in Xero, then each message to each person, then why there are no others, and
    what of that cannot be told for a time that is past.
    """
    when = clock_of(found.zone)
    console.print(Text(found.heading, "bold"))
    for one in found.happened:
        seen = when(one.at) if one.at else "before versions were counted"
        console.print(Text.assemble((f"  {seen} ", "dim"), f"Xero: {one.what}"))
    for person in found.people:
        _show_person(console, person, when)
    for kind, why in found.silent:
        name = f"{kind.replace('_', ' ')}: " if kind else ""
        console.print(Text.assemble((name, "bold"), why))
    for what in found.not_of_then:
        console.print(Text.assemble(("Not as of then: ", "bold"), what))
    for why in found.still:
        console.print(Text.assemble(("Nothing goes out now: ", "bold red"), why))
    if found.happened:
        console.print(Text(f"(Times are those of {found.zone}.)", "dim"))


def _show_person(console: Console, person: Person, when: When) -> None:
    stage = f", stage {person.stage}" if person.stage else ""
    about = f"{person.kind.replace('_', ' ')}{stage} to {person.to}"
    stands = f" is {person.stands}" if person.stands else ""
    console.print(Text.assemble((about, "bold"), stands))
    for step in person.steps:
        console.print(Text.assemble((f"  {when(step.at)} ", "dim"), f"{step.who}: {step.what}"))
        for detail in step.details:
            console.print(Text(f"      {detail}", "dim"))
