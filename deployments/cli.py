"""The command line: ``duebell …``. A command says what it did; a failure is one clear text, and exit 1."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.text import Text

from deployments import backtest as backtest_command
from deployments import (
    brake_command,
    move_command,
    policy_command,
    preference_command,
    reminders_held,
    settle_command,
)
from deployments import demo as demo_command
from deployments import doctor as doctor_command
from deployments import explain as explain_command
from deployments import preview as preview_command
from deployments import up as up_command
from deployments.audit_words import nothing_about
from deployments.live import chosen, in_review, is_live, show_before_live
from deployments.naming import meant
from deployments.opening import by_whom, opened, opened_ledger
from deployments.terminal import make_console
from duebell.errors import ConfigurationError
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import tenants, trail
from duebell.sending.resending import at_once, read_first
from duebell.sending.resending import resend as plan_resend
from duebell.sending.resending_which import RESENDABLE
from duebell.sending.testing_message import send_test as send_test_message
from duebell.setting_needs import Use

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(policy_command.app, name="policy")
app.add_typer(preference_command.app, name="preference")
app.command()(explain_command.explain)
app.command()(backtest_command.backtest)
app.command()(settle_command.settle)
app.command("move-ledger")(move_command.move_ledger)
app.command()(brake_command.stop)
app.command()(brake_command.resume)


def say(text: str | Text) -> None:
    """One sentence, as it is."""
    make_console().print(text)


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
    exits(lambda: doctor_command.main(make_console()))


@app.command()
def connect(
    every: Annotated[
        bool, typer.Option("--all", help="every organisation that the consent opens, without asking")
    ] = False,
    tenant: Annotated[
        list[str] | None, typer.Option("--tenant", metavar="ID", help="this one; may be said several times")
    ] = None,
) -> None:
    """Connect organisations of Xero: agree in the browser, and choose. It also renews a lost consent."""
    from deployments.connect_command import main as connect_main
    from deployments.connect_consent import Choice

    exits(lambda: connect_main(make_console(), Choice(every, tuple(tenant or ()))))


@app.command("go-live")
def go_live(
    yes: Annotated[
        str, typer.Option("--yes", metavar="NAME", help="the organisation's name or id, for scripts")
    ] = "",
    send_held: Annotated[
        bool,
        typer.Option("--send-held", help="also send what was planned in review, as far as it is still true"),
    ] = False,
) -> None:
    """Let an organisation send messages: shows what that means, and asks for its name."""
    with opened() as resources:
        resources.settings.require(Use.SMS)
        waiting = in_review(resources)
        for tenant in chosen(waiting, yes.strip()):
            show_before_live(make_console(), resources, tenant)
            name = yes or typer.prompt("Type the organisation's name to let it send")
            if tenant not in meant(name, waiting):
                raise ConfigurationError(f"{name.strip()!r} is not {tenant.name!r}: it stays in review")
            ended = tenants.go_live(
                resources.engine, tenant.tenant_id, by_whom(), release_held=send_held, now=resources.clock()
            )
            say(is_live(resources, tenant, ended))


@app.command()
def preview(
    invoice: Annotated[str, typer.Option("--invoice", help="its number, or its id in Xero")] = "",
) -> None:
    """Show what would be said about an invoice, or by the next sweep, and why; nothing is sent."""
    with opened() as resources:
        preview_command.main(make_console(), resources, invoice)


@app.command()
def release(
    yes: Annotated[
        str, typer.Option("--yes", metavar="NAME", help="the organisation's name or id, for scripts")
    ] = "",
) -> None:
    """Let reminders go that wait because they are unusually many: shows them, and asks for the name."""
    with opened() as resources:
        waiting = reminders_held.held(resources)
        for held in reminders_held.chosen(waiting, yes.strip()):
            reminders_held.show(make_console(), held)
            name = yes or typer.prompt("Type the organisation's name to let them go")
            if held not in reminders_held.named(waiting, name):
                raise ConfigurationError(f"{name.strip()!r} is not {held.tenant.name!r}: they go on waiting")
            reminders_held.release(resources, held, by_whom())
            say(f"{held.reminders} reminders of {held.tenant.name} go out with the next sweep.")


@app.command("send-test")
def send_test(to: Annotated[str, typer.Option("--to", help="your own number, such as +64211234567")]) -> None:
    """Send one test SMS, to see that Twilio and the sender work."""
    with opened() as resources:
        say(send_test_message(resources, to, by=by_whom()))


@app.command()
def resend(
    invoice: Annotated[str, typer.Argument(help="the invoice's number or its id in Xero")],
    why: Annotated[str, typer.Option("--why", help="for the audit trail")],
    kind: Annotated[str, typer.Option("--kind", help=", ".join(RESENDABLE))] = INVOICE_ISSUED,
    payment: Annotated[str | None, typer.Option("--payment", help="which payment, by its id in Xero")] = None,
    stage: Annotated[str, typer.Option("--stage", help="which reminder, by its stage")] = "",
    to: Annotated[
        str,
        typer.Option(
            "--to", help="a contact person instead, by their email address or the end of a message's key"
        ),
    ] = "",
) -> None:
    """Send the message about an invoice, a payment or a reminder of it once more, because you want it."""
    with opened() as resources:
        read_first(resources, invoice, at_once(resources))
        planned = plan_resend(
            resources, invoice, by=by_whom(), why=why, kind=kind, payment_id=payment, stage=stage, to=to
        )
        soon = " It goes out within seconds while `duebell up` runs." if planned.goes_out else ""
        say(f"{planned.sentence()}.{soon}")


@app.command()
def audit(
    subject: Annotated[
        str, typer.Argument(help="an invoice's number, an id, or nothing for the latest")
    ] = "",
    most: Annotated[int, typer.Option("--most", min=1, help="how many entries")] = 50,
) -> None:
    """Show the audit trail, and check that its chain is whole."""
    with opened_ledger() as resources:
        told = trail.entries(resources.engine, subject, most)
        if subject and not told:
            say(nothing_about(resources.engine, subject))
        for entry in told:
            when = f"{entry.at:%Y-%m-%d %H:%M:%S} "
            details = f" ({entry.details})" if entry.details else ""
            say(Text.assemble((when, "dim"), f"{entry.actor}: {entry.action}, {entry.subject}{details}"))
        broken = trail.first_break_in(resources.engine)
        if broken is not None:
            raise ConfigurationError(
                f"the trail was changed at entry {broken}: restore the ledger from a backup"
            )
        say("The chain of the trail is whole. (Times are UTC.)")


if __name__ == "__main__":
    sys.exit(app())
