"""Telling one person: look again, write the attempt down, post once, write down what came of it."""

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from duebell.books.read_in_time import FRESH, not_in_time
from duebell.deciding.deciding import Rules
from duebell.deciding.known import Known, known_of
from duebell.errors import Permanent, TemplateProblem
from duebell.failpoints import fail_point
from duebell.ledger import (
    attempts,
    channel_stops,
    dispatch,
    group_stops,
    legs,
    notifications,
    present,
    receipts,
)
from duebell.ledger.attempts import Intent
from duebell.ledger.braking import is_braked
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.engine import reading
from duebell.ledger.evidence import conclude
from duebell.ledger.failing import tried_again
from duebell.ledger.insisting import until_written
from duebell.ledger.notifications import Claim
from duebell.ledger.refused import remember_number
from duebell.ledger.tables import Leg, Notification
from duebell.ledger.writing import Writing, writing
from duebell.policy.reaching import EMAIL, SMS
from duebell.render.message_text import write_text
from duebell.resources import Resources
from duebell.safekeeping.quarantine import compare_once
from duebell.sending import holding
from duebell.sending.batching import in_batch
from duebell.sending.giving_back import Said, as_it_stands, hold_cancelled, let_go, wait_for_read
from duebell.sending.looking_again import StillTrue, look_again, may_look
from duebell.sending.noted_posting import post_noted
from duebell.sending.outcomes import conclusion_of
from duebell.sending.posting import Poster
from duebell.sending.stop_scopes import is_of_one_country, reason_of
from duebell.states import NotificationState, Sending

MEND_WAIT = timedelta(hours=1)
"""What a person has to mend first is tried again this much later, or by hand after the mend."""

S = NotificationState

ReadAgain = Callable[[str, Sequence[str], datetime], Mapping[str, str] | None]
"""Puts invoices (tenant, ids), read at a time or later, into the ledger. Raises as reading does; returns why
some cannot be read, where that is known."""


def rules_of(resources: Resources) -> Rules:
    """What the operator decided, as the files stand now."""
    settings = resources.settings
    channels = frozenset({SMS, EMAIL} if settings.sends_email else {SMS})
    kept = resources.look_at_policy()
    schedules = holding.channels_that_hold(settings, kept.policy)
    return Rules(kept.policy, Sending(settings.sending.value), channels, kept.text, schedules)


def render(resources: Resources, claim: Claim) -> Said | None:
    """Write the text of a claimed notification into its leg.

    ``None`` where it stands, or where what it tells of, or whom, or the claim itself was taken away since:
    the last look decides on that. A template that cannot say it puts the notification on hold, with the
    template and the field as its reason; nothing is sent.
    """
    with writing(resources.engine, resources.clock()) as book:
        if not notifications.is_still_claimed(book, claim):
            return None
        row = present.notification(book.session, claim.notification_id)
        known = known_of(book.session, claim.tenant_id, claim.invoice_ids)
        leg = legs.current(book.session, row)
        leg.rendered_from = ""  # a text that waited for its hour may be from an older template
        try:
            write_text(book, resources.templates, row, leg, known, resources.policy)
        except TemplateProblem as problem:
            return _hold_for_mend(book, claim, problem)
        except Permanent:
            return None
    return None


def _hold_for_mend(book: Writing, claim: Claim, problem: Permanent) -> Said:
    code = dispatch.TEMPLATE if isinstance(problem, TemplateProblem) else dispatch.UNFIT
    later = book.now + MEND_WAIT
    return let_go(book, claim, S.HELD, f"{code}:{problem}", not_before=book.now, dispatch_at=later)


def tell(
    resources: Resources,
    claim: Claim,
    read_again: ReadAgain,
    *,
    flow_run_id: str | None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Said:
    """Send a claimed notification once, if it is still true and nothing stands against it.

    Raises what reading Xero again raises, with the claim still held: nothing was posted then.
    ``is_cancelled`` is asked after such a reading, which can take a minute.
    """
    fail_point("after-claim")
    compare_once(resources)
    now = resources.clock()
    stale = _not_fresh(resources, claim, now)
    unread = read_again(claim.tenant_id, stale, now - FRESH) if stale else None
    if stale and is_cancelled():
        return hold_cancelled(resources, claim)
    # Whatever may fail is done before the attempt stands: then it would look like a message that may exist.
    poster, look = Poster(resources), resources.policy.settle.first_look
    with tried_again():
        intent = _intend(resources, poster, claim, flow_run_id, unread or {})
    if isinstance(intent, Said):
        return intent
    fail_point("after-intent")
    return _post(resources, poster, intent, look)


def _post(resources: Resources, poster: Poster, intent: Intent, look: timedelta) -> Said:
    """POST once, and write down what came of it."""
    batched = in_batch(resources, intent)
    outcome = post_noted(resources, poster, batched) if isinstance(batched, Intent) else batched
    fail_point("after-note")
    said = _record(resources, intent, conclusion_of(
        outcome,
        tries=intent.tries,
        first_look=look,
        jitter=random.random(),  # noqa: S311 - it spreads retries, it guards nothing
        now=resources.clock(),
    ))  # fmt: skip
    fail_point("after-record")
    return said


def _not_fresh(resources: Resources, claim: Claim, now: datetime) -> list[str]:
    """The invoices of a claim whose last read is too old to be said."""
    with reading(resources.engine) as session:
        return list(not_in_time(session, claim, now))


def _intend(
    resources: Resources, poster: Poster, claim: Claim, flow_run_id: str | None, why: Mapping[str, str]
) -> Intent | Said:
    """Decide once more on the fresh read, and write the attempt down in the same transaction."""
    with writing(resources.engine, resources.clock()) as book:
        if not may_look(book, claim):
            return as_it_stands(book, claim)
        book.now = resources.clock()  # it may have waited long, and what was read grew older meanwhile
        known = known_of(book.session, claim.tenant_id, claim.invoice_ids)
        unread = {one: why.get(one) or old for one, old in not_in_time(book.session, claim, book.now).items()}
        read = [one for one in claim.invoice_ids if one not in unread]
        if not read or not unread.keys() <= known.keys():
            return wait_for_read(book, claim, unread)
        found = look_again(book, claim, known, rules_of(resources), unread)
        if not isinstance(found, StillTrue):
            return let_go(
                book, claim, found.state, found.reason, not_before=found.later, dispatch_at=found.later
            )
        claim = replace(claim, invoice_ids=tuple(read), tells=found.tells)
        begun = _begin(resources, poster, book, claim, known, found, flow_run_id)
        fail_point("before-intent-commits")
        return begun


def _begin(
    resources: Resources,
    poster: Poster,
    book: Writing,
    claim: Claim,
    known: Mapping[str, Known],
    found: StillTrue,
    flow_run_id: str | None,
) -> Intent | Said:
    row = present.notification(book.session, claim.notification_id)
    leg = legs.tell_by(book.session, row, found.channel, found.address)
    if leg is None:
        return _put_back(book, claim, "another_way")
    rules = rules_of(resources)
    try:
        text = _write(resources, book, row, leg, known, rules)
        poster.check(leg)
    except Permanent as problem:
        return _hold_for_mend(book, claim, problem)
    return attempts.begin(
        book,
        claim,
        uuid.uuid4().hex,
        leg=leg,
        text=text,
        read_at=min(known[one].read.read_at for one in claim.invoice_ids),
        flow_run_id=flow_run_id,
        open_until=found.open_until,
        send_at=holding.send_at_of(book, row, leg, found, rules),
    ) or _wait(book, claim, row, leg)


def _write(
    resources: Resources, book: Writing, row: Notification, leg: Leg, known: Mapping[str, Known], rules: Rules
) -> str:
    heard = holding.heard_at(book.now, row, leg, rules)
    return write_text(book, resources.templates, row, leg, known, rules.policy, at=heard)


def _wait(book: Writing, claim: Claim, row: Notification, leg: Leg) -> Said:
    """Give the claim back; where a channel is closed to one country, another may take the message at once."""
    stop = channel_stops.in_the_way(book, leg)
    if stop is None:
        return _put_back(book, claim, "stopped_or_overtaken")
    reason = reason_of(stop.scope)
    if is_of_one_country(stop.scope) and legs.pass_on(book.session, row, reason):
        reason = f"next_channel:{reason}"
        return let_go(book, claim, S.PLANNED, reason, not_before=book.now, dispatch_at=book.now)
    return let_go(book, claim, S.HELD, reason, not_before=stop.retry_at, dispatch_at=stop.retry_at)


def _put_back(book: Writing, claim: Claim, reason: str) -> Said:
    row = present.notification(book.session, claim.notification_id)
    wait = dispatch.wait_after(row.dispatches)
    if is_braked(book.session, claim.tenant_id):
        wait = timedelta()  # nothing comes for it before the brake is taken off, and then at once
    return let_go(book, claim, S.PLANNED, reason, not_before=book.now, dispatch_at=book.now + wait)


@until_written
def _record(resources: Resources, intent: Intent, known: Conclusion) -> Said:
    """Write the outcome down: a busy database must not cost the SID."""
    with writing(resources.engine, resources.clock()) as book:
        known = group_stops.as_it_is(book, intent.attempt_id, known)
        state = conclude(book, intent.attempt_id, known)
        if known.sid is not None:
            receipts.bind_earlier(book, intent.attempt_id, known.sid)
        holding.notice_refusal(book, intent, known)
        if known.error_code is not None:
            remember_number(book, intent.attempt_id, known.error_code, from_callback=False)
        fail_point("before-record-commits")
    return Said(intent.notification_id, state.value, known.reason)
