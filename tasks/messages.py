"""Messages: their text, their one POST, and the search for an outcome that nobody saw."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE

from duebell.books import parking, unallocated
from duebell.books.bursts import BurstReader
from duebell.books.calls import Purpose
from duebell.errors import Postponed
from duebell.ledger import attempts, unsettled
from duebell.ledger.attempts import Reaped
from duebell.ledger.engine import reading
from duebell.ledger.notifications import Claim
from duebell.ledger.unsettled import Unconfirmed, Unsettled
from duebell.ledger.writing import writing
from duebell.resources import resources
from duebell.safekeeping import quarantine
from duebell.sending import telling
from duebell.sending.giving_back import Said, hold_cancelled
from duebell.settling import confirming, parked, settling, watching
from duebell.settling.settling import Settled
from duebell.settling.watching import Batch, TakeBack
from duebell.showing import reporting_channels, reporting_outstanding
from duebell.showing.reporting_channels import StopTold
from tasks._prefect import RETRYING, RETRYING_ONCE, access_to, is_by_person, is_cancelled, own_run_id


@task(cache_policy=NO_CACHE)
def render(claims: list[Claim]) -> list[Claim]:
    """Write the text of each claimed notification; returns those that can be sent.

    One whose text fails in an unforeseen way is left to its own send, which meets the same: the others go on.
    """
    ready: list[Claim] = []
    for claim in claims:
        try:
            held = telling.render(resources(), claim)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is of this one message
            get_run_logger().error("notification %d: %s", claim.notification_id, type(error).__name__)
            held = None
        if held is None:
            ready.append(claim)
        else:
            get_run_logger().error("notification %d is held: %s", held.notification_id, held.reason)
    return ready


@task(**RETRYING, cache_policy=NO_CACHE, task_run_name="send {claim.notification_id}")
def send(claim: Claim) -> Said:
    """Send one notification, once.

    A retry follows only a failure from before the POST, while the claim is still held: the POST itself never
    raises, and whatever may have reached Twilio is unknown, not failed.
    """
    if is_cancelled():
        return hold_cancelled(resources(), claim)
    try:
        said = telling.tell(
            resources(),
            claim,
            partial(_read_again, claim),
            flow_run_id=own_run_id(),
            is_cancelled=is_cancelled,
        )
    except Postponed as wait:
        said = parking.wait_for_xero(resources(), claim, wait)
    get_run_logger().info("notification %d is %s %s", said.notification_id, said.state, said.reason)
    return said


def _read_again(claim: Claim, tenant_id: str, invoice_ids: Sequence[str], since: datetime) -> dict[str, str]:
    access = access_to(tenant_id, Purpose.LOOK_AGAIN)
    read = BurstReader(access).look_again(invoice_ids, since=since)
    if unallocated.matters_to(resources().engine, claim):
        unallocated.have(access, since=since)
    return read.unread


@task(cache_policy=NO_CACHE)
def compare_with_journal() -> int:
    """Compare the side journal with the ledger, and stop all sending where that was set back; returns how
    many attempts it had forgotten, which are in it again.
    """
    forgotten = quarantine.compare(resources()).forgotten
    if forgotten:
        get_run_logger().error("the ledger was set back, and sending is stopped: see `duebell doctor`")
    return forgotten


@task(cache_policy=NO_CACHE)
def reap_dead_leases() -> Reaped:
    """End the leases of runs that died: what they had claimed waits again, what they sent is unknown."""
    with writing(resources().engine, resources().clock()) as book:
        reaped = attempts.reap(book, resources().policy.settle.first_look)
    get_run_logger().info("%d claims returned, %d sends are unknown", reaped.returned, reaped.unknown)
    return reaped


@task(cache_policy=NO_CACHE)
def unknown_attempts(attempt_ids: list[str] | None) -> list[Unsettled]:
    """The attempts whose outcome is to be looked for now: those named, or all that are due."""
    now = resources().clock()
    with reading(resources().engine) as session:
        return unsettled.unsettled(session, now=None if attempt_ids else now, attempt_ids=attempt_ids)


@task(**RETRYING_ONCE, cache_policy=NO_CACHE, task_run_name="look for {attempt.attempt_id}")
def look_for_outcome(attempt: Unsettled) -> Settled:
    """Look once for what became of an attempt. Reading Twilio may be repeated; nothing is sent."""
    settled = settling.settle(resources(), attempt)
    get_run_logger().info("attempt %s: %s %s", settled.attempt_id, settled.outcome, settled.state)
    return settled


@task(cache_policy=NO_CACHE)
def held_messages(attempt_ids: list[str] | None) -> list[Batch]:
    """The messages that Twilio holds and that are to be decided on now, the soonest to go out first."""
    return watching.due(resources().engine, resources().clock(), attempt_ids)


@task(cache_policy=NO_CACHE)
def found_late(settled: list[Settled]) -> list[Batch]:
    """The messages that were just found to be held, and that go out before the next run is sure to come."""
    return watching.found_late(resources().engine, resources().clock(), settled)


@task(**RETRYING, cache_policy=NO_CACHE, task_run_name="decide again for {batch.tenant_id}")
def decide_on_held(batch: Batch) -> tuple[TakeBack, ...]:
    """Read anew what held messages are about; returns those that are to be taken back."""
    untrue = watching.decide_anew(resources(), batch, partial(_read_for_all, batch))
    counts = len(untrue), len(batch.held), len(batch.gone)
    get_run_logger().info("%d are taken back, of %d that are held and %d that may have a copy", *counts)
    return untrue


def _read_for_all(batch: Batch, tenant_id: str, invoice_ids: Sequence[str], since: datetime) -> None:
    access = access_to(tenant_id, Purpose.LOOK_AGAIN)
    BurstReader(access).look_again(invoice_ids, since=since)
    if batch.reminds:
        unallocated.have(access, since=since)


@task(**RETRYING, cache_policy=NO_CACHE, task_run_name="take back {one.sid}")
def take_back(one: TakeBack) -> Settled:
    """Have Twilio cancel one message that it holds. It may be repeated: nothing is sent."""
    settled = watching.take_back(resources(), one)
    get_run_logger().info("message %s is %s: %s", one.sid, settled.state, one.why)
    return settled


@task(cache_policy=NO_CACHE)
def unconfirmed_messages(*, of_the_hour: bool) -> list[Unconfirmed]:
    """The messages whose time to go out has passed and of which nothing was heard; with ``of_the_hour`` also
    those that Twilio took and of which no final receipt came: after an hour, and by night or by hand all.
    """
    now = resources().clock()
    with reading(resources().engine) as session:
        silent = unsettled.held_too_long(session, now)
        if of_the_hour:
            silent += confirming.due(session, now, everything=is_by_person())
    return silent


@task(cache_policy=NO_CACHE)
def parked_messages() -> list[Unsettled]:
    """What was left to a person, and its provider may tell of by now."""
    return parked.parked(resources())


@task(**RETRYING_ONCE, cache_policy=NO_CACHE, task_run_name="look for parked {attempt.attempt_id}")
def look_for_parked(attempt: Unsettled) -> Settled:
    """Look once more for what was left to a person."""
    return parked.look_for_parked(resources(), attempt)


@task(**RETRYING_ONCE, cache_policy=NO_CACHE, task_run_name="ask for {message.sid}")
def ask_for_status(message: Unconfirmed) -> Settled:
    """Ask Twilio for the status of one message; receipts may be lost, or cannot reach this machine."""
    return confirming.confirm(resources(), message)


@task(cache_policy=NO_CACHE)
def explain_stop(scope: str) -> StopTold:
    """Say in the UI how a channel stands, and the mend."""
    told = reporting_channels.told_of(resources().engine, scope)
    create_markdown_artifact(key="channel", markdown=told.page, description=told.name)
    return told


@task(cache_policy=NO_CACHE)
def show_outstanding() -> str:
    """Put what nobody knows for sure into the UI, the oldest first; returns it in a sentence."""
    told = reporting_outstanding.told_of(resources().engine, resources().clock())
    create_table_artifact(key="outstanding", table=told.table, description=told.sentence)
    return told.sentence
