"""``POST /webhooks/sendgrid``: what SendGrid signed is kept, event by event, before it is acknowledged.

Anything but a 2xx makes SendGrid come again with the same batch, for 24 hours
(twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook).
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from deployments.receiver.answers import refusal
from deployments.receiver.ledger_thread import LedgerBusy, LedgerThread
from deployments.receiver.parts import ReceiverParts
from deployments.receiver.reading import only_value, read_raw
from duebell.email.sendgrid_events import EmailEvent, UnreadableEvents, read_events
from duebell.email.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, events_are_genuine
from duebell.ledger import strays
from duebell.ledger.receipts import NewReceipt, keep_receipt_in, not_kept_yet
from duebell.ledger.strays import Said
from duebell.ledger.writing import Writing
from duebell.twilio.outcome import SENDGRID

LARGEST_BATCH = 1024 * 1024
"""SendGrid posts a batch when it has reached 768 kilobytes, or before."""

AT_A_TIME = 20
"""Receipts that share a transaction: the ledger is nobody else's for as long as one is written."""

log = logging.getLogger("duebell.receiver")


def receipts_of(events: Sequence[EmailEvent]) -> tuple[NewReceipt, ...]:
    """The receipts to keep: of the emails that are ours, each word of an email once.

    All mail of the account is told of here, and every email of ours carries its attempt's id. SendGrid's
    bounces after a delivery may come without it, and without the email's: those speak of an address alone.
    """
    wanted = {(event.sid, event.word): event for event in reversed(events) if event.tag}
    return tuple(
        NewReceipt(
            sid=event.sid,
            status=event.word,
            error_code=None,
            attempt_id=event.tag,
            form=event.event_json,
            provider=SENDGRID,
        )
        for event in reversed(wanted.values())
    )


def said_of_addresses(events: Sequence[EmailEvent]) -> tuple[Said, ...]:
    """What is told of an address alone: of which email, only the ledger can guess."""
    return tuple(Said(one.stray, one.word, one.occurred_at) for one in events if one.stray)


def keep_all(book: Writing, receipts: Sequence[NewReceipt]) -> None:
    """Keep these receipts, all or none."""
    for receipt in receipts:
        keep_receipt_in(book, receipt)


class SendGridEvents:
    """The endpoint, with what it needs."""

    def __init__(self, parts: ReceiverParts, thread: LedgerThread) -> None:
        self._parts = parts
        self._thread = thread

    async def answer(self, request: Request) -> Response:
        """200 once every receipt is committed, known email or not; 401 unsigned; 503 to be asked again."""
        seconds = self._parts.patience.body_seconds
        raw = await read_raw(request, most=LARGEST_BATCH, seconds=seconds)
        signature, timestamp = only_value(request, SIGNATURE_HEADER), only_value(request, TIMESTAMP_HEADER)
        if not events_are_genuine(raw, signature, timestamp, self._parts.settings.sendgrid_webhook_keys):
            log.warning("sendgrid events refused: no valid signature")
            return refusal(401)
        try:
            batch = read_events(raw)
        except UnreadableEvents as error:
            log.error("sendgrid events dropped: %s", error)  # noqa: TRY400 -- the text says it all
            return Response(status_code=200)
        if batch.unreadable:
            log.error("sendgrid events dropped: %d that name no email or no event", batch.unreadable)
        return await self._keep(receipts_of(batch.events), said_of_addresses(batch.events))

    async def _keep(self, receipts: Sequence[NewReceipt], said: Sequence[Said]) -> Response:
        """Some at a time: what is kept stays kept, and is skipped when the batch comes again."""
        engine = self._parts.engine
        try:
            async with asyncio.timeout(self._parts.patience.answer_seconds):
                new = await self._thread.alone(partial(not_kept_yet, engine, receipts))
                for start in range(0, len(new), AT_A_TIME):
                    some = new[start : start + AT_A_TIME]
                    await self._thread.commit(partial(keep_all, receipts=some))
                if said:
                    await self._heed(said)
        except LedgerBusy as error:
            why = str(error)
        except TimeoutError:
            why = "not all of them could be kept in time"
        else:
            return Response(status_code=200)
        log.error("sendgrid events not acknowledged: %s", why)
        return refusal(503)

    async def _heed(self, said: Sequence[Said]) -> None:
        parts = self._parts
        found = await self._thread.alone(partial(strays.of_ours, parts.engine, said, parts.clock()))
        for start in range(0, len(found), AT_A_TIME):
            some = found[start : start + AT_A_TIME]
            await self._thread.commit(partial(strays.heed, strays=some))
