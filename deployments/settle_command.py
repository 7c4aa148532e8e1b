"""``duebell settle``: what Twilio's log shows a person of a message whose outcome was left to them."""

from typing import Annotated

import typer
from rich.text import Text

from deployments.opening import by_whom, opened
from deployments.terminal import make_console
from duebell.settling.settling_by_hand import settle_by_hand


def settle(
    sid: Annotated[str, typer.Argument(help="its id in Twilio's log: SM… or MM…, of an email comms_email_…")],
    why: Annotated[str, typer.Option("--why", help="for the audit trail")],
    invoice: Annotated[
        str, typer.Option("--invoice", help="the number or id of its invoice, where its text does not tell")
    ] = "",
) -> None:
    """Say which message or email in Twilio's log is one of which nobody knows whether it went out."""
    with opened() as resources:
        done = settle_by_hand(resources, sid, by=by_whom(), why=why, invoice=invoice)
        said = f"Twilio calls it {done.status}: the message about {done.numbers} is {done.state} now."
        make_console().print(Text(said))
