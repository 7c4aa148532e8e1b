"""What a run came to, told without naming anybody: for the run's state and its artifact in the UI."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.email import rulings
from duebell.ledger import present
from duebell.ledger.dispatch import TEMPLATE, UNFIT
from duebell.ledger.engine import reading
from duebell.ledger.tables import InvoiceSnapshot, Leg, Notification, Tenant
from duebell.phone import redact
from duebell.policy.verdict import IN_WORDS, Reason
from duebell.states import TOLD, NotificationState
from duebell.twilio.codes import action_for
from duebell.twilio.outcome import SENDGRID, TWILIO
from duebell.visible import in_markdown
from duebell.xero.links import invoice_link

S = NotificationState


@dataclass(frozen=True, slots=True)
class Line:
    """One notification as the UI may show it: the address is redacted, names and amounts are left out.

    The UI reads a cell as Markdown, so what Xero calls an invoice is written as it is to be read there.
    """

    invoice: str
    recipient: str
    channel: str
    state: str
    reason: str
    link: str
    code: str = ""
    """The reason as it is kept, without its detail."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended. ``sound`` is false where a person has to mend something."""

    name: str
    message: str
    sound: bool
    lines: tuple[Line, ...]


def lines_for(engine: Engine, tenant_id: str, kind: str, invoice_ids: Sequence[str]) -> tuple[Line, ...]:
    """One line a notification; an invoice without one gets a line that says so."""
    with reading(engine) as session:
        tenant = session.get_one(Tenant, tenant_id)
        numbers = dict(
            session.exec(
                select(InvoiceSnapshot.invoice_id, InvoiceSnapshot.number).where(
                    InvoiceSnapshot.tenant_id == tenant_id, col(InvoiceSnapshot.invoice_id).in_(invoice_ids)
                )
            ).all()
        )
        rows = present.of_invoices(session, tenant_id, kind, invoice_ids)
        told_by = {row.notification_id: row.leg_position for row in rows}
        ways = session.exec(select(Leg).where(col(Leg.notification_id).in_(told_by))).all()
        legs = {leg.notification_id: leg for leg in ways if leg.position == told_by[leg.notification_id]}
    told = [_line(row, legs.get(row.notification_id or 0), numbers, tenant.short_code) for row in rows]
    silent = [one for one in invoice_ids if one not in {row.invoice_id for row in rows}]
    return (*told, *(_silent_line(one, numbers, tenant.short_code) for one in silent))


def _silent_line(invoice_id: str, numbers: dict[str, str], short_code: str) -> Line:
    reason = "" if invoice_id in numbers else "Xero knows no such invoice"
    link = invoice_link(short_code, invoice_id)
    return Line(in_markdown(numbers.get(invoice_id, invoice_id)), "", "", "nothing owed", reason, link)


def _line(row: Notification, leg: Leg | None, numbers: dict[str, str], short_code: str) -> Line:
    return Line(
        in_markdown(numbers.get(row.invoice_id, row.invoice_id)),
        in_markdown(redact(leg.address)) if leg else "",
        leg.channel if leg else "",
        row.state,
        in_words(row.reason),
        invoice_link(short_code, row.invoice_id),
        row.reason.partition(":")[0],
    )


OTHERWISE: dict[str, str] = {
    "another_way": "the way to them has changed meanwhile: it goes out by the one that they have now",
    "came_back": "it came back after its server had taken it, so that nobody read it",
    "cancelled": "it was held, and taken back in time because of a change; it is decided anew",
    "channel_stopped": "a fault of the setup has stopped this channel: `duebell doctor` says which",
    "claim_lapsed": "its sender stopped before it sent anything; another takes over",
    "group_at_twilio": "Twilio blocks this number because of a contact's group in Xero, of which Duebell "
    "told it: `duebell preference show` says how to take that back",
    "ledger_set_back": "it was posted in a time that the ledger lost; nobody knows yet whether it arrived",
    "held_at_twilio": "Twilio is to send it at a later time, so that it can still be taken back",
    "held_at_sendgrid": "SendGrid is to send it at a later time, and takes it back until 12 minutes before",
    "lease_lapsed": "its sender stopped in the middle; nobody knows yet whether it went out",
    "outcome_unknown": "Twilio gave no answer; nobody knows yet whether it went out",
    "next_channel": "the way before it failed, and this one takes over",
    "no_evidence": "nothing shows whether it went out: look in Twilio's log, then `duebell settle` with its "
    "SID (of an email comms_email_…), or `duebell resend` where it is not there",
    "planned_before_going_live": "it was planned in review and dropped when the organisation went live",
    "read_too_old": "the invoice could not be read anew just before sending",
    "run_cancelled": "its run was cancelled: run it again to send it",
    "stopped_or_overtaken": "sending is stopped (`duebell doctor` says whose), or another run has it",
    TEMPLATE: "its template cannot say it: once that is mended it goes out within the hour, or by a run",
    "told_after_all": "the first message turned out to have arrived, so it is not said again",
    "tried_again_later": "Twilio could not take it; it is tried again",
    "xero_takes_no_calls": "the day's calls to Xero are used up; it is sent when they begin anew",
    "tried_too_often": "Twilio could not take it, time and again",
    UNFIT: "no provider would be asked to send it as it is: mend its address, its sender or its words",
}
"""The reasons that come from sending itself, not from a decision."""


PROVIDERS = {TWILIO: "Twilio", SENDGRID: "SendGrid"}
WITHOUT_CODE = "twilio:None"
"""What was kept once of a refusal without a code, whoever's it was."""


def in_words(reason: str) -> str:
    """A kept reason as a sentence, with its detail behind it; one that is not ours stays as it is."""
    code, _, detail = reason.partition(":")
    if code == "twilio" and detail.isdigit():
        return f"Twilio's code {detail}: {action_for(int(detail), from_callback=False).meaning}"
    if code == "email" and (meaning := rulings.in_words(detail)) is not None:
        return meaning
    if reason == WITHOUT_CODE or (code in PROVIDERS and detail.startswith("http_")):
        return _without_code(PROVIDERS[code], detail)
    words = IN_WORDS[Reason(code)] if code in set(Reason) else OTHERWISE.get(code, reason)
    detail = in_words(detail) if code in {"next_channel", "came_back"} else detail
    return f"{words} ({detail})" if detail and words != reason else words


def _without_code(provider: str, detail: str) -> str:
    status = detail.removeprefix("http_")
    who = "the provider refused it" if status == "None" else f"{provider} refused it (HTTP {status})"
    return f"{who} and gave no code: `duebell audit` has what it means"


TO_MEND = {TEMPLATE: "Template problem", UNFIT: "Cannot be posted"}
"""The reasons that a person has to see to, and how a run ends that met one."""


def ending(lines: Sequence[Line]) -> Ending:
    """Name the end of a run by its most pressing line, and count the rest."""
    counts = Counter(line.state for line in lines)
    message = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(counts.items()))
    for code, name in TO_MEND.items():
        reasons = [line.reason for line in lines if line.code == code]
        if reasons:
            return Ending(name, reasons[0], sound=False, lines=tuple(lines))
    return Ending(_name(counts), message or "nothing to tell", sound=True, lines=tuple(lines))


def _name(counts: Counter[str]) -> str:
    told = sum(counts[state.value] for state in TOLD)
    names = (
        (counts[S.PARKED.value], "Parked"),
        (counts[S.UNKNOWN.value] + counts[S.SENDING.value], "Outcome unknown"),
        (told, "Told"),
        (counts[S.SCHEDULED.value], "Scheduled"),
        (counts[S.PLANNED.value] + counts[S.HELD.value] + counts[S.CLAIMED.value], "Held"),
        (counts[S.GIVEN_UP.value] + counts[S.UNDELIVERED.value] + counts[S.FAILED.value], "Not delivered"),
    )
    return next((name for count, name in names if count), "Nothing to tell")
