"""The last look before speaking: is it still true, for each thing that the message would say?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from sqlmodel import Session

from duebell.deciding.deciding import Basis, Rules, basis_again, decide, subject_of
from duebell.deciding.grounds import grounds_of
from duebell.deciding.grouping import marks_of
from duebell.deciding.known import Known, with_reminders, with_told
from duebell.deciding.prospects import Crowd
from duebell.keys import INVOICE_OVERDUE, is_contact
from duebell.ledger import dispatch, groups, kept_verdicts, legs, notifications, present, volumes
from duebell.ledger.notifications import Claim
from duebell.ledger.tables import Notification
from duebell.ledger.verdicts import READ_TOO_OLD
from duebell.ledger.writing import Writing
from duebell.planning.volume import next_hour_if_full, until_next_hour
from duebell.policy.verdict import Hold, Send, Skip, Verdict
from duebell.states import NotificationState

S = NotificationState

ACTOR = "send"


@dataclass(frozen=True, slots=True)
class StillTrue:
    """The message may go out, by this channel to this address; ``open_until`` is as in ``Send``.

    ``tells`` are the ids of those that it tells beside its own.
    """

    channel: str
    address: str
    open_until: datetime | None
    tells: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class NotNow:
    """The message must not go out, or not yet; ``later`` is when it may."""

    state: NotificationState
    reason: str
    later: datetime | None


NONE: Mapping[str, str] = MappingProxyType({})


def may_look(book: Writing, claim: Claim) -> bool:
    """Wait for all that could change what this claim's message may say, and tell whether the claim stands.

    What is read before may be over by then: another sender of the tenant can take as long as the ledger lets
    one wait. What a claim told that another run has taken since is not for this one to change.
    """
    volumes.take_turn(book, claim.tenant_id)
    if not notifications.is_still_claimed(book, claim):
        return False
    groups.hold_claimed(book.session, claim.notification_id)
    return True


def look_again(
    book: Writing, claim: Claim, known: Mapping[str, Known], rules: Rules, unread: Mapping[str, str] = NONE
) -> StillTrue | NotNow:
    """Decide anew on a claimed notification and on those told in its message, once ``may_look`` said so.

    One that must not be said any more, or not together with the one that leads, leaves the message, as does
    one whose invoice could not be read anew (``unread``, with the reason, if any is known); where it is the
    one that leads, the others go back and are told without it. Where the hour has no room for it, all of them
    wait for the next.
    """
    next_hour = next_hour_if_full(book, claim.tenant_id, rules.policy.for_tenant(claim.tenant_id).limits)
    lead = present.notification(book.session, claim.notification_id)
    known = with_others_told(book.session, lead, known, rules, book.now)
    failed = legs.failed_channels(book.session, lead)
    basis = basis_again(lead, known[lead.invoice_id], rules, book.now, failed)
    verdict = None if lead.invoice_id in unread else decide(basis)
    rows: list[Notification] = []
    for row, belongs in _told_with(book, lead, known, rules):
        rows.append(row)
        if row.invoice_id in unread:
            _leave(book, row, _read_in_vain(row, book.now, unread))
        else:
            own = basis_again(row, known[row.invoice_id], rules, book.now, failed)
            _stay_or_leave(book, row, own, verdict if belongs else None)
    if verdict is None:
        return _read_in_vain(lead, book.now, unread)
    found = _of_lead(book, lead, basis, verdict, next_hour)
    if isinstance(found, NotNow):
        return found
    return replace(found, tells=tuple(row.notification_id or 0 for row in rows if row.lead_id is not None))


def _of_lead(
    book: Writing, lead: Notification, basis: Basis, verdict: Verdict, next_hour: datetime | None
) -> StillTrue | NotNow:
    crowd = Crowd(next_hour=next_hour if lead.generation == 0 else None)
    if isinstance(verdict, Send) and crowd.next_hour is not None:
        verdict = until_next_hour(verdict, crowd.next_hour)
    kept_verdicts.keep(book, lead.notification_id, grounds_of(basis, verdict, lead, crowd), actor=ACTOR)
    if isinstance(verdict, Send):
        return StillTrue(verdict.channel, verdict.address, verdict.open_until)
    return _way_of(verdict, book.now)


def with_others_told(
    session: Session, lead: Notification, known: Mapping[str, Known], rules: Rules, heard_at: datetime
) -> Mapping[str, Known]:
    """What is known, with all else that was told and that the message has to keep its distance from."""
    to_team = not is_contact(lead.recipient)
    known = with_told(session, lead.tenant_id, known, rules.channels, teams=to_team)
    if lead.kind != INVOICE_OVERDUE and not to_team:
        return known
    return with_reminders(session, lead.tenant_id, known, rules.policy.for_tenant(lead.tenant_id), heard_at)


def _told_with(
    book: Writing, lead: Notification, known: Mapping[str, Known], rules: Rules
) -> Iterator[tuple[Notification, bool]]:
    """Those that the lead's message tells, and whether it still may: what was read anew may say otherwise."""
    rows = [lead, *groups.beside(book.session, lead)]
    held = rules.held_for(lead.tenant_id, lead.kind, forced=lead.generation > 0)
    heard = book.now + held.get(legs.current(book.session, lead).channel, timedelta())
    news = [(subject_of(row), known[row.invoice_id]) for row in rows]
    first, *others = marks_of(news, rules.policy.for_tenant(lead.tenant_id), heard)
    return ((row, mark == first) for row, mark in zip(rows[1:], others, strict=True))


def _stay_or_leave(book: Writing, row: Notification, own: Basis, verdict: Verdict | None) -> None:
    """Stay where the one that leads goes out, and this one the same way."""
    theirs = decide(own)
    kept_verdicts.keep(book, row.notification_id, grounds_of(own, theirs), actor=ACTOR)
    if theirs != verdict:
        _leave(book, row, _way_of(theirs, book.now))


def _leave(book: Writing, row: Notification, way: NotNow) -> None:
    groups.leave(book, row, way.state, way.reason, not_before=way.later, dispatch_at=way.later)


def _read_in_vain(row: Notification, now: datetime, unread: Mapping[str, str]) -> NotNow:
    """It waits by itself, longer each time: who hears of other invoices does not wait for this one."""
    later = now + dispatch.wait_after(row.dispatches)
    return NotNow(S.HELD, read_too_old(unread.get(row.invoice_id, "")), later)


def read_too_old(why: str) -> str:
    """The reason of what could not be read anew, with what is known of it."""
    return f"{READ_TOO_OLD}:{why}" if why else READ_TOO_OLD


def _way_of(verdict: Verdict, now: datetime) -> NotNow:
    match verdict:
        case Skip(reason=reason, detail=detail):
            return NotNow(S.SKIPPED, f"{reason.value}:{detail}" if detail else reason.value, None)
        case Hold(reason=reason, not_before=later):
            return NotNow(S.HELD, reason.value, later)
        case Send():
            return NotNow(S.PLANNED, "", now)
