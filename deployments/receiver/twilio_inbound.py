"""``POST /webhooks/twilio/inbound``: what a person wrote back is kept, and heeded, before it is answered."""

import logging
import re

from starlette.requests import Request
from starlette.responses import Response

from deployments.receiver.answers import refusal
from deployments.receiver.ledger_thread import LedgerBusy, LedgerThread
from deployments.receiver.parts import ReceiverParts
from deployments.receiver.reading import LARGEST_CALLBACK, only_value, read_raw
from deployments.receiver.twilio_status import SIGNATURE, WORD, signed_url, why_refused
from duebell.deciding.senders import sender_of
from duebell.ledger.inbound import keep_inbound
from duebell.policy.reaching import SMS
from duebell.settings import Settings
from duebell.twilio.inbound import NOTHING, InboundMessage, Senders, read_inbound
from duebell.twilio.signature import callback_is_genuine, form_pairs

NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
log = logging.getLogger("duebell.receiver")


def genuine_message(settings: Settings, request: Request, raw: bytes) -> InboundMessage | None:
    """What was written, or ``None`` where Twilio did not sign it or not for our account."""
    header = only_value(request, SIGNATURE)
    if not callback_is_genuine(signed_url(settings, request), raw, header, settings.twilio_signing_tokens):
        return None
    try:
        message = read_inbound(form_pairs(raw))
    except ValueError:
        return None
    ours = settings.twilio_account_sid
    return message if ours and message.account_sid == ours else None


class TwilioInbound:
    """The endpoint, with what it needs."""

    def __init__(self, parts: ReceiverParts, thread: LedgerThread) -> None:
        self._parts = parts
        self._thread = thread

    async def answer(self, request: Request) -> Response:
        """200 with no reply once the message is committed; 403 forged; 503 to be asked again."""
        raw = await read_raw(request, most=LARGEST_CALLBACK, seconds=self._parts.patience.body_seconds)
        message = genuine_message(self._parts.settings, request, raw)
        if message is None:
            log.warning("twilio message refused: %s", why_refused(request))
            return refusal(403)
        if not WORD.fullmatch(message.sid) or not NUMBER.fullmatch(message.sender):
            log.error("twilio message dropped: it has no SID, or comes from no number")
            return _says_nothing()
        try:
            await self._thread.commit(lambda book: keep_inbound(book, message, message.sender, self._ours()))
        except LedgerBusy as error:
            log.error("twilio message not acknowledged: %s", error)  # noqa: TRY400 -- the text says it all
            return refusal(503)
        return _says_nothing()

    def _ours(self) -> Senders:
        settings = self._parts.settings
        own = {settings.twilio_messaging_service_sid, settings.twilio_from} - {""}
        return Senders(sender_of(settings, SMS), self._parts.senders() | own)


def _says_nothing() -> Response:
    return Response(NOTHING, media_type="text/xml")
