"""Deciding again on what a provider holds, before it goes out: what stopped being true is taken back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from duebell.books.read_in_time import FRESH
from duebell.deciding.deciding import basis_again, decide
from duebell.deciding.known import Known, known_of
from duebell.errors import (
    ConfigurationError,
    DuebellError,
    TemplateProblem,
)
from duebell.hours.scheduling import is_last_look, taken_back_until
from duebell.keys import INVOICE_OVERDUE
from duebell.ledger import receipts, scheduled
from duebell.ledger.braking import is_braked
from duebell.ledger.copies import SURPLUS
from duebell.ledger.engine import reading
from duebell.ledger.held_messages import Standing, standing
from duebell.ledger.meaning import said_of
from duebell.ledger.scheduled import Held
from duebell.ledger.tables import Notification
from duebell.ledger.writing import writing
from duebell.policy.verdict import Send
from duebell.render.message_text import telling_in, words_of
from duebell.resources import Resources
from duebell.sending.looking_again import with_others_told
from duebell.sending.telling import ReadAgain, rules_of
from duebell.settling import watching_copies
from duebell.settling.discarding import cancel_in_time
from duebell.settling.once_more import once_more
from duebell.settling.settling import Found, Settled
from duebell.states import TOLD, AttemptState, NotificationState
from duebell.twilio.statuses import MessageStatus
from duebell.xero.queries import IDS_PER_QUERY

BRAKE, NOT_READ = "stopped", "not_read"
OTHER_ADDRESS, OTHER_WORDS = "another_address", "another_text"
"""Why a message that Twilio holds is taken back, beside the reasons of the policy."""


AT_ONCE = IDS_PER_QUERY
"""Messages that are decided on together: as many as one call to Xero reads invoices of."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some of what is to be decided on now of one organisation."""

    tenant_id: str
    held: tuple[Held, ...]
    gone: tuple[Held, ...] = ()
    """What was taken back, where a copy of it may come to light: it is to go out as little."""

    @property
    def reminds(self) -> bool:
        """Whether there are reminders among them."""
        return any(one.kind == INVOICE_OVERDUE for one in self.held)


@dataclass(frozen=True, slots=True)
class TakeBack:
    """A message that its provider is to cancel, and why; ``batch_id`` is SendGrid's, where it is an email."""

    attempt_id: str
    sid: str
    why: str
    send_at: datetime
    batch_id: str = ""


def due(engine: Engine, now: datetime, attempt_ids: Sequence[str] | None = None) -> list[Batch]:
    """What is to be decided on now, or of these attempts."""
    with reading(engine) as session:
        held = scheduled.due(session, now=now, attempt_ids=attempt_ids)
        gone = [] if attempt_ids is not None else scheduled.in_doubt(session, now=now)
    return batches(held, gone)


def found_late(engine: Engine, now: datetime, settled: Sequence[Settled]) -> list[Batch]:
    """What looks have just found that Twilio holds, where no later run is sure to decide on it in time."""
    found = [one.attempt_id for one in settled if one.state == MessageStatus.SCHEDULED.value]
    if not found:
        return []
    with reading(engine) as session:
        held = scheduled.due(session, now=now, attempt_ids=found)
    return batches([one for one in held if is_last_look(one.until, now)])


def batches(held: Sequence[Held], gone: Sequence[Held] = ()) -> list[Batch]:
    """A few of one organisation at a time, the soonest to go out first, what is gone last.

    Each is decided on and taken back by itself: what goes out in a minute does not wait until Xero has been
    asked about thousands, nor is it lost with those when a run dies.
    """
    of_held = [Batch(some[0].tenant_id, some) for some in _portions(held)]
    of_gone = [Batch(some[0].tenant_id, (), some) for some in _portions(gone)]
    return [*sorted(of_held, key=lambda one: one.held[0].send_at), *of_gone]


def _portions(messages: Sequence[Held]) -> list[tuple[Held, ...]]:
    by_tenant = dict.fromkeys(one.tenant_id for one in messages)
    of_tenants = [[one for one in messages if one.tenant_id == tenant_id] for tenant_id in by_tenant]
    return [tuple(some[at : at + AT_ONCE]) for some in of_tenants for at in range(0, len(some), AT_ONCE)]


def decide_anew(resources: Resources, batch: Batch, read_again: ReadAgain) -> tuple[TakeBack, ...]:
    """Decide again on messages that Twilio holds; returns those to be taken back, each written down as such.

    What cannot be read anew may not be true any more: at the last look it is taken back too. Where Twilio
    cannot be asked for copies of a message, that message stays due, and holds up no other.
    """
    unsearched = watching_copies.looked_for(resources, (*batch.held, *batch.gone))
    with reading(resources.engine) as session:
        stops = is_braked(session, batch.tenant_id)
        stand = standing(session, batch.held)
    why = {one: _why_anyway(one, stand[one], stops=stops) for one in batch.held}
    open_ones = [one for one in batch.held if not why[one]]
    known = _read(resources, batch.tenant_id, open_ones, read_again)
    with reading(resources.engine) as session:
        for one, stands in standing(session, open_ones).items():
            why[one] = _why_untrue(session, one, stands, known, resources)
    now = resources.clock()
    with writing(resources.engine, now) as book:
        for one in (*batch.held, *batch.gone):
            if why.get(one):
                scheduled.ask_to_cancel(book, one.attempt_id, why[one])
            elif one not in unsearched:
                scheduled.look_again_at(book, one)
    untrue = [one for one in batch.held if why[one]]
    return tuple(TakeBack(one.attempt_id, one.sid, why[one], one.send_at, one.batch_id) for one in untrue)


def take_back(resources: Resources, one: TakeBack) -> Settled:
    """Have its provider cancel one message, and write down what became of it; may be repeated.

    An answer that is lost leaves the message as it was asked for, so that the next look asks again. Raises
    what reading the provider raises.
    """
    cancel = _cancel_email if one.batch_id else _cancel_sms
    message = cancel(resources, one)
    if message is None:
        return Settled(one.attempt_id, "asked for too late")
    with writing(resources.engine, resources.clock()) as book:
        code = message.error_code
        receipts.apply(book, one.attempt_id, one.sid, message.raw_status, code, f"cancel:{one.why}")
    return Settled(one.attempt_id, "taken back", message.raw_status)


def _cancel_sms(resources: Resources, one: TakeBack) -> Found:
    message = resources.twilio().cancel(one.sid)
    return Found(one.sid, message.raw_status, message.error_code)


def _cancel_email(resources: Resources, one: TakeBack) -> Found | None:
    """The email as it is then; ``None`` where SendGrid takes it back no more, and may send it."""
    if resources.clock() >= taken_back_until(one.send_at, in_batch=True):
        return None
    in_time = cancel_in_time(resources, one.batch_id, one.send_at)
    return Found(one.sid, MessageStatus.CANCELED.value) if in_time else None


def _why_anyway(one: Held, stands: Standing, *, stops: bool) -> str:
    """Why it is taken back whatever the books say; empty where they decide. ``stops``: the brake is on."""
    if one.cancel_why or stops:
        return one.cancel_why or BRAKE
    others = [row for row in stands.beside if row.state == AttemptState.ACCEPTED.value]
    told = any(said_of(row) in TOLD for row in others)
    sooner = any(
        said_of(row) is NotificationState.SCHEDULED
        and row.send_at is not None
        and (row.send_at, row.attempt_id) < (one.send_at, one.attempt_id)
        for row in others
    )
    return SURPLUS if told or sooner else ""


def _read(
    resources: Resources, tenant_id: str, held: Sequence[Held], read_again: ReadAgain
) -> dict[str, Known]:
    """What is known of the invoices, those left out that could not be read anew."""
    since = resources.clock() - FRESH
    ids = [one.notification_id for one in held]
    with reading(resources.engine) as session:
        told = col(Notification.notification_id).in_(ids) | col(Notification.lead_id).in_(ids)
        invoices = sorted(set(session.exec(select(Notification.invoice_id).where(told)).all()))
    # One call that fails must not take fifty messages back.
    try:
        if invoices:
            once_more()(read_again, tenant_id, invoices, since)
    except (DuebellError, ConfigurationError):
        return {}
    with reading(resources.engine) as session:
        known = known_of(session, tenant_id, invoices)
    return {invoice_id: one for invoice_id, one in known.items() if one.read.read_at >= since}


def _why_untrue(
    session: Session, one: Held, stands: Standing, read: Mapping[str, Known], resources: Resources
) -> str:
    """Why the message must not go out at its time as it stands; empty where it may."""
    rows, lead, attempt = stands.told, stands.told[0], stands.attempt
    if any(row.invoice_id not in read for row in rows):
        return NOT_READ if is_last_look(one.until, resources.clock()) else ""
    # At its time, and no longer ahead of it: the hours have only to be open then.
    rules = replace(rules_of(resources), schedules=frozenset[str]())
    own = {row.invoice_id: read[row.invoice_id] for row in rows}
    known = with_others_told(session, lead, own, rules, one.send_at)
    for row in rows:
        verdict = decide(basis_again(row, known[row.invoice_id], rules, one.send_at, stands.failed))
        if not isinstance(verdict, Send):
            return verdict.reason.value
        if (verdict.channel, verdict.address) != (stands.channel, attempt.address):
            return OTHER_ADDRESS
    try:
        telling = telling_in(rows, known, rules.policy, one.send_at)
        words = words_of(resources.templates, telling, stands.channel)
    except TemplateProblem:
        return OTHER_WORDS
    return "" if words.text == attempt.text else OTHER_WORDS
