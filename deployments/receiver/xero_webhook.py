"""``POST /webhooks/xero``: what Xero signed is in the inbox before it is acknowledged.

Source of the rules: developer.xero.com/documentation/guides/webhooks/configuring-your-server. 401 with an
empty body for whatever is not signed, 200 with an empty body for what is; anything but 200 to a signed
delivery counts against the subscription, and Xero comes again.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from starlette.requests import Request
from starlette.responses import Response

from deployments.receiver.answers import refusal
from deployments.receiver.ledger_thread import LedgerBusy, LedgerThread
from deployments.receiver.nudge import Nudges
from deployments.receiver.parts import ReceiverParts
from deployments.receiver.reading import LARGEST_DELIVERY, only_value, read_raw
from duebell.ledger.inbox import Kept, NewEvent, Rejected, keep_in
from duebell.ledger.webhook_state import heard
from duebell.ledger.writing import Writing
from duebell.xero.signature import signature_is_valid
from duebell.xero.webhook import RejectedEvent, UnreadableDelivery, XeroEvent, read_delivery

SIGNATURE = "x-xero-signature"
REASONS_TOLD = 5
log = logging.getLogger("duebell.receiver")


@dataclass(frozen=True, slots=True)
class ToBeKept:
    """A signed body for the ledger: its events, the whole of it where a part is no event, Xero's numbers."""

    events: tuple[NewEvent, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    first: int | None = None
    last: int | None = None


def to_be_kept(raw: bytes) -> ToBeKept:
    """What to keep of a signed body."""
    try:
        delivery = read_delivery(raw)
    except UnreadableDelivery as error:
        return ToBeKept(rejected=(_rejected(raw, str(error)),))
    # In one order everywhere: two deliveries that share events would otherwise wait for each other's rows.
    events = sorted({_event(event) for event in delivery.events}, key=_in_order)
    rejected = (_rejected(raw, _reasons(delivery.rejects)),) if delivery.rejects else ()
    return ToBeKept(tuple(events), rejected, delivery.first_sequence, delivery.last_sequence)


def keep_delivery(book: Writing, wanted: ToBeKept) -> Kept:
    """Keep a delivery and note that it came, both or neither."""
    kept = keep_in(book, wanted.events, wanted.rejected, book.now)
    tenant_ids, is_news = {event.tenant_id for event in wanted.events}, kept.new > 0 and not kept.repeated
    heard(book, tenant_ids, wanted.first, wanted.last, is_news=is_news)
    return kept


_in_order = attrgetter("tenant_id", "category", "resource_id", "type", "mark")


def _event(event: XeroEvent) -> NewEvent:
    return NewEvent(
        tenant_id=event.tenant_id,
        category=event.category,
        resource_id=event.resource_id,
        type=event.type,
        mark=event.event_time.isoformat(timespec="milliseconds"),
        event_time=event.event_time,
    )


def _rejected(raw: bytes, reason: str) -> Rejected:
    return Rejected(hashlib.sha256(raw).hexdigest(), reason, raw)


def _reasons(rejects: Sequence[RejectedEvent]) -> str:
    told = "; ".join(f"event {reject.position}: {reject.reason}" for reject in rejects[:REASONS_TOLD])
    more = len(rejects) - REASONS_TOLD
    return f"{told}; {more} more" if more > 0 else told


class XeroWebhook:
    """The endpoint, with what it needs."""

    def __init__(self, parts: ReceiverParts, thread: LedgerThread, nudges: Nudges) -> None:
        self._parts = parts
        self._thread = thread
        self._nudges = nudges

    async def answer(self, request: Request) -> Response:
        """200 once everything signed is committed; 401 unsigned; 503 where the ledger could not take it."""
        seconds = self._parts.patience.body_seconds
        raw = await read_raw(request, most=LARGEST_DELIVERY, seconds=seconds)
        header = only_value(request, SIGNATURE)
        if not signature_is_valid(raw, header, self._parts.settings.xero_webhook_keys):
            log.warning("xero delivery refused: no valid signature")
            return refusal(401)
        wanted = to_be_kept(raw)
        if not wanted.events and not wanted.rejected:
            # The intent to receive holds nothing to keep, and must not fail because the ledger is away.
            return Response(status_code=200)
        return await self._keep(wanted)

    async def _keep(self, wanted: ToBeKept) -> Response:
        try:
            kept = await self._thread.commit(lambda book: keep_delivery(book, wanted))
        except LedgerBusy as error:
            log.error("xero delivery not acknowledged: %s", error)  # noqa: TRY400 -- the text says it all
            return refusal(503)
        self._nudges.add(kept.waiting)
        for item in wanted.rejected:
            log.error("xero delivery %s is signed but cannot be read: %s", item.sha256, item.reason)
        log.info(
            "xero delivery kept: %d new, %d repeated, %d of the new ignored",
            kept.new, kept.repeated, kept.ignored,
        )  # fmt: skip
        return Response(status_code=200)
