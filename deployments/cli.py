"""The command line: ``duebell …``. A command says what it did; a failure is one clear text, and exit 1."""

import getpass
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from deployments import demo as demo_command
from deployments import doctor as doctor_command
from deployments import up as up_command
from deployments.live import show_before_live
from duebell.errors import ConfigurationError, DuebellError
from duebell.ledger import tenants, trail
from duebell.ledger.tables import Tenant
from duebell.resending import resend as plan_resend
from duebell.resources import Resources, open_resources
from duebell.settings import load
from duebell.testing_message import send_test as send_test_message

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
console = Console(highlight=False)


def by_whom() -> str:
    """Who gives the command, for the audit trail."""
    return f"person:{getpass.getuser()}"


@contextmanager
def opened() -> Generator[Resources]:
    """The ledger and the clients of this installation; a mistake is told in a sentence, with exit 1."""
    try:
        resources = open_resources(load())
        try:
            yield resources
        finally:
            resources.close()
    except (ConfigurationError, DuebellError) as error:
        console.print(f"[red]{error}[/]", markup=True)
        raise typer.Exit(1) from error


def exits(command: Callable[[], int]) -> None:
    """End with the command's own status."""
    raise typer.Exit(command())


@app.command()
def up() -> None:
    """Run all of Duebell on this machine, with the credentials in .env, until Ctrl-C."""
    exits(up_command.main)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="play the story and end")] = False,
) -> None:
    """Play the whole road on this machine, against a built-in stand-in for Xero and Twilio."""
    exits(lambda: demo_command.main(stay=not once))


@app.command()
def doctor() -> None:
    """Say what is set, what is missing or wrong, and the mend."""
    exits(lambda: doctor_command.main(console))


@app.command()
def connect() -> None:
    """Connect the organisations of the Xero app in .env (a custom connection). `up` does it by itself."""
    from deployments.connect import main as connect_main

    exits(connect_main)


@app.command("go-live")
def go_live(
    yes: Annotated[
        str, typer.Option("--yes", metavar="NAME", help="the organisation's name, for scripts")
    ] = "",
    send_held: Annotated[
        bool,
        typer.Option("--send-held", help="also send what was planned in review, as far as it is still true"),
    ] = False,
) -> None:
    """Let an organisation send messages: shows what that means, and asks for its name."""
    with opened() as resources:
        for tenant in _in_review(resources):
            show_before_live(console, resources, tenant)
            name = yes or typer.prompt("Type the organisation's name to let it send")
            if name.strip() != tenant.name:
                raise ConfigurationError(f"{name.strip()!r} is not {tenant.name!r}: nothing was changed")
            ended = tenants.go_live(
                resources.engine, tenant.tenant_id, by_whom(), release_held=send_held, now=resources.clock()
            )
            console.print(
                f"{tenant.name} is live. {ended.released} planned messages will go out, "
                f"{ended.dropped} from the review will not."
            )


def _in_review(resources: Resources) -> list[Tenant]:
    waiting = [one for one in tenants.connected(resources.engine) if one.sending == "review"]
    if not waiting:
        raise ConfigurationError("no connected organisation is in review: `duebell doctor` lists them")
    return waiting


@app.command()
def stop(why: Annotated[str, typer.Option("--why", help="for the audit trail")] = "") -> None:
    """Stop all sending at once. Events are still kept and messages planned."""
    with opened() as resources:
        tenants.set_brake(
            resources.engine,
            stopped=True,
            by=by_whom(),
            why=why,
            scope=tenants.EVERYTHING,
            now=resources.clock(),
        )
        console.print("Sending is stopped. `duebell resume` lets it go on; messages are then decided anew.")


@app.command()
def resume() -> None:
    """Let sending go on."""
    with opened() as resources:
        tenants.set_brake(
            resources.engine,
            stopped=False,
            by=by_whom(),
            why="",
            scope=tenants.EVERYTHING,
            now=resources.clock(),
        )
        console.print("Sending goes on.")


@app.command("send-test")
def send_test(to: Annotated[str, typer.Option("--to", help="your own number, such as +64211234567")]) -> None:
    """Send one test SMS, to see that Twilio and the sender work."""
    with opened() as resources:
        console.print(send_test_message(resources, to, by=by_whom()))


@app.command()
def resend(
    invoice: Annotated[str, typer.Argument(help="the invoice's number or its id in Xero")],
    why: Annotated[str, typer.Option("--why", help="for the audit trail")],
) -> None:
    """Send the message about an invoice once more, because you want it."""
    with opened() as resources:
        planned = plan_resend(resources, invoice, by=by_whom(), why=why)
        if planned.state == "planned":
            console.print(
                f"It is planned as {planned.key} and goes out within seconds while `duebell up` runs."
            )
        else:
            console.print(f"It is {planned.state}: {planned.reason}.")


@app.command()
def audit(
    subject: Annotated[
        str, typer.Argument(help="an invoice's number, an id, or nothing for the latest")
    ] = "",
    most: Annotated[int, typer.Option("--most", help="how many entries")] = 50,
) -> None:
    """Show the audit trail, and check that its chain is whole."""
    with opened() as resources:
        for entry in trail.entries(resources.engine, subject, most):
            console.print(
                f"[dim]{entry.at:%Y-%m-%d %H:%M:%S}[/] {entry.actor}: {entry.action} {entry.subject}"
            )
        broken = trail.first_break_in(resources.engine)
        if broken is not None:
            raise ConfigurationError(
                f"the trail was changed at entry {broken}: restore the ledger from a backup"
            )
        console.print("The chain of the trail is whole.")


if __name__ == "__main__":
    sys.exit(app())
