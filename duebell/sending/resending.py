"""Saying it again because a person wants it: a new key, with who asked and why."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sqlmodel import col, select

from duebell.audit import Entry
from duebell.books.access import XeroAccess, unpaced
from duebell.books.calls import Purpose
from duebell.books.read_in_time import FRESH
from duebell.books.reading import XeroReader
from duebell.deciding.known import known_of
from duebell.errors import Permanent
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, PAYMENT_RECEIVED
from duebell.ledger import channel_stops, legs, planning_turns, resends, snapshots
from duebell.ledger.named import sale_named
from duebell.ledger.tables import Audit, Notification
from duebell.ledger.writing import Writing, writing
from duebell.planning.planning import plan_kind, plan_resend
from duebell.policy.verdict import Reason
from duebell.resources import Resources
from duebell.sending.looking_again import with_others_told
from duebell.sending.resending_which import RESENDABLE, About, person_meant
from duebell.sending.standing_still import NOTHING_OUT
from duebell.sending.stop_scopes import is_of_one_country, reason_of
from duebell.sending.stopping import goes_on_by, in_the_way_of
from duebell.sending.telling import rules_of
from duebell.showing.reporting import in_words
from duebell.states import TOLD, WAITING, NotificationState, Sending

S = NotificationState

ENDED = TOLD | {S.UNDELIVERED, S.FAILED, S.GIVEN_UP, S.PARKED, S.SKIPPED}
"""States in which nothing more will be sent by itself."""

ASKED = "re-send asked for"


@dataclass(frozen=True, slots=True)
class Resend:
    """A forced re-send that now waits for its run, or the reason for which it does not.

    ``waits`` says what it waits for, in words; empty where it goes out at once, or not at all.
    """

    tenant_id: str
    invoice_id: str
    number: str
    key: str
    state: str
    reason: str
    waits: str = ""

    @property
    def goes_out(self) -> bool:
        """Whether nothing but its run is waited for."""
        return self.state == S.PLANNED.value and not self.waits

    def sentence(self) -> str:
        """It in words, wherever it is told."""
        if self.waits:
            return f"{self.key} is {self.state}, and waits: {self.waits}"
        says_why = self.reason and self.state != S.PLANNED.value
        return f"{self.key} is {self.state}" + (f": {in_words(self.reason)}" if says_why else "")


def resend(
    resources: Resources,
    wanted: str,
    *,
    by: str,
    why: str,
    kind: str = INVOICE_ISSUED,
    payment_id: str | None = None,
    stage: str = "",
    to: str = "",
    run_id: str | None = None,
) -> Resend:
    """Plan one more message of a kind about an invoice, named by its number or id.

    ``payment_id`` or ``stage`` says which of several payments or reminders is meant; ``to`` is the email
    address of a further person at the customer, who is meant in the customer's place, or the end of their
    key. Asked again by the run ``run_id``, it says how the first one stands. Raises ``Permanent`` where no
    such invoice, payment or stage is known, where number or kind name several things, or where a message
    about it is on its way or still waits: a second one beside it would tell the person twice.
    """
    _check(kind, by, why, payment_id, stage)
    with writing(resources.engine, resources.clock()) as book:
        snapshot = sale_named(book.session, wanted)
        _hold(book, snapshot.tenant_id, snapshot.invoice_id, kind)
        about = About(book, snapshot, kind, payment_id or "", stage.strip(), person_meant(to))
        row = _asked_before(about, run_id)
        if row is None:
            row = _first(about, resources, by) or _again(about, resources, by, why)
            book.audit(_asked(row, by, why, run_id))
        return _planned(row, snapshot.number, _waits(book, row, resources.settings.sending))


def _hold(book: Writing, tenant_id: str, invoice_id: str, kind: str) -> None:
    """Let nobody else decide on this until this transaction ends."""
    planning_turns.plans(book, tenant_id)
    snapshots.hold(book.session, tenant_id, [invoice_id])
    resends.hold_firsts(book.session, tenant_id, kind, [invoice_id])


def _planned(row: Notification, number: str, waits: Iterable[str]) -> Resend:
    said = "; ".join(waits)
    return Resend(row.tenant_id, row.invoice_id, number, row.key, row.state, row.reason, said)


def _waits(book: Writing, row: Notification, ceiling: Sending) -> Iterator[str]:
    """All that keeps it waiting now. What is planned may wait too, for its way is looked at when it goes."""
    if row.state == S.HELD.value:
        yield _held(row, ceiling)
    if S(row.state) not in WAITING:
        return
    for brake in in_the_way_of(book.session, row.tenant_id):
        of_one = " of this organisation" if brake.scope == row.tenant_id else ""
        yield f"sending{of_one} is stopped, and goes on with {goes_on_by(brake.scope)}"
    stop = channel_stops.in_the_way(book, legs.current(book.session, row))
    if stop is None or row.state != S.PLANNED.value:
        return
    if not (is_of_one_country(stop.scope) and legs.has_another_way(book.session, row)):
        yield in_words(reason_of(stop.scope))


def _held(row: Notification, ceiling: Sending) -> str:
    if row.reason == Reason.IN_REVIEW and ceiling is Sending.REVIEW:
        return NOTHING_OUT
    if row.reason == Reason.IN_REVIEW:
        return f"{in_words(row.reason)}, with --send-held for this too"
    return in_words(row.reason)


def _asked(row: Notification, by: str, why: str, run_id: str | None) -> Entry:
    return Entry(by, ASKED, "notification", row.key, row.tenant_id, run_id, {"why": why})


def _check(kind: str, by: str, why: str, payment_id: str | None, stage: str) -> None:
    if kind not in RESENDABLE:
        raise Permanent(f"{kind!r} is not said again: {', '.join(RESENDABLE)} are")
    if not why.strip() or not by.strip():
        raise Permanent("say why it is to be sent again, and who wants it: both stand in the audit trail")
    if payment_id and kind != PAYMENT_RECEIVED:
        raise Permanent(f"a payment is named, and the message is {kind}: give --kind {PAYMENT_RECEIVED}")
    if stage and kind != INVOICE_OVERDUE:
        raise Permanent(f"a stage is named, and the message is {kind}: give --kind {INVOICE_OVERDUE}")


def _asked_before(about: About, run_id: str | None) -> Notification | None:
    """What this run has asked for already: a retry of it is no second wish."""
    if run_id is None:
        return None
    rows = {row.key: row for row in about.rows()}
    asked = select(Audit.subject_id).where(
        Audit.action == ASKED, Audit.flow_run_id == run_id, col(Audit.subject_id).in_(rows)
    )
    found = about.book.session.exec(asked).first()
    return rows[found] if found else None


def at_once(resources: Resources) -> Callable[[str], XeroAccess]:
    """The way into a tenant for a person who waits."""
    return lambda tenant_id: XeroAccess(resources, tenant_id, unpaced, "resend", Purpose.RESEND)


def read_first(resources: Resources, wanted: str, access: Callable[[str], XeroAccess]) -> str:
    """Have the invoice and its contact as they are in Xero now: of old invoices no contact was ever read.

    Returns its tenant. Raises what reading Xero raises, and ``Permanent`` where no such invoice is known.
    """
    now = resources.clock()
    with writing(resources.engine, now) as book:
        snapshot = sale_named(book.session, wanted)
        tenant_id, invoice_id = snapshot.tenant_id, snapshot.invoice_id
    read = XeroReader(access(tenant_id)).invoices([invoice_id], since=now - FRESH)
    for _, why in read.bad:
        raise Permanent(f"it could not be read from Xero now, and may have changed: {why}")
    return tenant_id


def _first(about: About, resources: Resources, by: str) -> Notification | None:
    """The first message about it where there was none and it may be sent: no second one is needed."""
    if about.rows():
        return None
    snapshot, rules = about.snapshot, rules_of(resources)
    planned = plan_kind(
        about.book, snapshot.tenant_id, about.kind, [snapshot.invoice_id], rules, actor=by, flow_run_id=None
    )
    meant = about.chosen(planned)
    if not meant:
        ladder = rules.policy.for_tenant(snapshot.tenant_id).invoice_overdue.stages
        raise Permanent(about.why_none([*about.standing(), *planned], [one.name for one in ladder]))
    return next((row for row in meant if S(row.state) not in ENDED), None)


def _again(about: About, resources: Resources, by: str, why: str) -> Notification:
    rows, snapshot = about.rows(), about.snapshot
    open_ones = [row.state for row in rows if S(row.state) not in ENDED]
    if open_ones:
        raise Permanent(
            f"a message about invoice {snapshot.number or snapshot.invoice_id} is {open_ones[0]}: "
            "a second one beside it would tell the person twice"
        )
    session, rules = about.book.session, rules_of(resources)
    known = known_of(session, snapshot.tenant_id, [snapshot.invoice_id])
    known = with_others_told(session, rows[-1], known, rules, about.book.now)
    return plan_resend(about.book, rows[-1], known[snapshot.invoice_id], rules, by=by, why=why)
