"""``duebell preference``: what stands against an address, and what a person settles about it."""

from typing import Annotated

import typer
from rich.text import Text

from deployments.opening import by_whom, opened, opened_ledger
from deployments.terminal import make_console
from duebell.books.calls import utc
from duebell.errors import ConfigurationError
from duebell.ledger import mirror_switch
from duebell.ledger.engine import reading
from duebell.ledger.group_stops import MEND, GroupStop
from duebell.ledger.preferences import OPTED_OUT
from duebell.policy.reaching import EMAIL, SMS
from duebell.policy_file.preferences import StopEnds
from duebell.preferences import preferring
from duebell.preferences.preferring import InXero
from duebell.resources import Resources
from duebell.settings import EmailProvider

app = typer.Typer(no_args_is_help=True, help="Settle what people asked for in their own words.")

Address = Annotated[str, typer.Argument(help="a number with + and its country code, or an email address")]
Channel = Annotated[str, typer.Option("--channel", help="sms or email; without it, as the address looks")]
Why = Annotated[str, typer.Option("--why", help="who asked, when and how: for the audit trail")]

LEFT = "What waits for it could not be decided anew now, and is so when its turn comes"


def _channel(address: str, said: str) -> str:
    return said.strip().lower() or (EMAIL if "@" in address else SMS)


@app.command()
def show(address: Address, channel: Channel = "") -> None:
    """Say what stands against an address, since when and why, and what Twilio and Xero were told."""
    with opened_ledger() as resources:
        found = preferring.show(resources, address, _channel(address, channel))
        console = make_console()
        if not any(one.state for one in found.known) and not found.by_group:
            console.print("Nothing stands against writing to it.")
        for one in found.known:
            stands = one.state.replace("_", " ") or "allowed"
            console.print(Text(f"{one.channel}: {stands} since {utc(one.since)} ({one.evidence})"))
            if (one.channel, one.state) == (SMS, OPTED_OUT):
                console.print(Text(_email_after_stop(resources)))
        for one in found.at_twilio:
            answer = f" ({one.answer})" if one.answer else ""
            console.print(Text(f"Twilio, sender {one.sender}: {one.status} is {one.stands}{answer}"))
        for one in found.by_group:
            console.print(Text(_by_group(one)))
        for one in found.in_xero:
            console.print(Text(_in_xero(one)))


@app.command()
def stop(address: Address, why: Why, channel: Channel = "") -> None:
    """Write nothing to an address any more, because its owner asked for it in other words than STOP."""
    with opened_ledger() as resources:
        meant = _channel(address, channel)
        done = preferring.stop(resources, address, meant, by=by_whom(), why=why)
        if done.problem:
            _say(f"Nothing goes there any more. {LEFT}: {done.problem}")
            return
        elsewhere = _mirrored(resources) if meant == SMS else ""
        _say("Nothing goes there any more.", _waited(done.decided), elsewhere)


@app.command()
def allow(address: Address, why: Why, channel: Channel = "") -> None:
    """Write to an address again, because its owner asked for it: --why holds the evidence."""
    with opened() as resources:
        meant = _channel(address, channel)
        decided = preferring.allow(resources, address, meant, by=by_whom(), why=why)
        elsewhere = _mirrored(resources) if meant == SMS else _suppressed(resources)
        _say("It may be written to again.", _waited(decided), elsewhere)


def _email_after_stop(resources: Resources) -> str:
    """What becomes of email for a customer who opted out at their number."""
    try:
        policy = resources.policy
    except ConfigurationError as fault:
        return f"What becomes of email to that customer cannot be told: {fault}"
    found = {one.preferences.stop_ends for one in (policy, *policy.tenants.values())}
    if len(found) > 1:
        return "Email to that customer: as stop_ends in the policy says, for each organisation by itself."
    if StopEnds.EVERYTHING in found:
        return 'Email to that customer has ended too (stop_ends = "everything" in the policy).'
    return (
        'Email to that customer goes on, where the policy has "email" among the channels '
        '(stop_ends = "sms"; with "everything" it ends too).'
    )


def _by_group(one: GroupStop) -> str:
    since = ", and is in none any more" if one.is_left else ""
    return (
        f"Twilio blocks it because contact {one.contact_id} was put into a contact group of the policy's "
        f"no_messages_groups{since}. {MEND}"
    )


def _in_xero(one: InXero) -> str:
    answer = f" ({one.answer})" if one.answer else ""
    whose = "by Duebell" if one.ours else "nothing of it is by Duebell"
    wanted = "is to be a member" if one.wanted else "is to be a member no more, if Duebell made it one"
    done = {"owed": "Xero is still to be told", "refused": "Xero refuses it", "done": f"done, {whose}"}
    return f"Xero, group {one.group}, contact {one.contact_id}: {wanted}; {done[one.stands]}{answer}"


def _say(*sentences: str) -> None:
    make_console().print(" ".join(filter(None, sentences)), markup=False)


def _waited(decided: int) -> str:
    return f"{decided} that waited {'was' if decided == 1 else 'were'} decided anew." if decided else ""


def _suppressed(resources: Resources) -> str:
    """SendGrid has lists of its own of whom it sends nothing, and is told of by nobody but a person."""
    if resources.settings.email_provider is not EmailProvider.SENDGRID:
        return ""
    return (
        "Where it stands in SendGrid's suppressions, take it out there too: SendGrid drops what goes there."
    )


def _mirrored(resources: Resources) -> str:
    shown = " Xero shows it soon too." if resources.policy.writes_back else ""
    return f"{_told_to_twilio(resources)}{shown}"


def _told_to_twilio(resources: Resources) -> str:
    if not resources.policy.preferences.mirror_to_twilio:
        return "Twilio is not told (mirror_to_twilio in the policy)."
    with reading(resources.engine) as session:
        off = mirror_switch.why_off(session)
    return (
        f"Twilio cannot be told: {off}." if off else "Twilio is told within seconds while `duebell up` runs."
    )
