"""``POST /webhooks/twilio/status?n=<attempt>``: what Twilio signed is kept before it is acknowledged."""

import logging
import re
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from deployments.receiver.answers import refusal
from deployments.receiver.ledger_thread import LedgerBusy, LedgerThread
from deployments.receiver.parts import ReceiverParts
from deployments.receiver.reading import LARGEST_CALLBACK, only_value, read_raw
from duebell.ledger.receipts import NewReceipt, keep_receipt_in
from duebell.settings import Settings
from duebell.twilio.callbacks import ATTEMPT_PARAMETER, StatusCallback, read_status_callback
from duebell.twilio.signature import callback_is_genuine, form_pairs, public_url

SIGNATURE = "x-twilio-signature"
OTHER_KEY = "x-twilio-webhooks-signature-settings"
"""Says that a rule of the account has a key of its own sign this, and not the auth token
(twilio.com/docs/usage/webhooks/webhook-shared-keys)."""

# What an id or a status can look like: PostgreSQL, for one, keeps no NUL in a text.
WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")
log = logging.getLogger("duebell.receiver")


def signed_url(settings: Settings, request: Request) -> str:
    """The URL that Twilio was given and signed, from the configured public address alone."""
    path, query = (request.scope[part].decode("latin-1") for part in ("raw_path", "query_string"))
    return public_url(settings.public_url, path, query)


def genuine_callback(settings: Settings, request: Request, raw: bytes) -> StatusCallback | None:
    """What the callback says, or ``None`` where Twilio did not sign it or not for our account."""
    header = only_value(request, SIGNATURE)
    if not callback_is_genuine(signed_url(settings, request), raw, header, settings.twilio_signing_tokens):
        return None
    try:
        callback = read_status_callback(form_pairs(raw))
    except ValueError:
        return None
    ours = settings.twilio_account_sid
    return callback if ours and callback.account_sid == ours else None


def why_refused(request: Request) -> str:
    """Why a call is not believed: whoever reads the log may have made the rule that is the cause."""
    if OTHER_KEY in request.headers:
        return "a webhook rule has it signed with a shared key; let that rule leave Duebell's address out"
    return "no valid signature for this account"


def receipt_of(callback: StatusCallback, query: str) -> NewReceipt | None:
    """The receipt to keep, or ``None`` where the callback names no message or no status."""
    if not WORD.fullmatch(callback.sid) or not WORD.fullmatch(callback.raw_status):
        return None
    named = [value for key, value in parse_qsl(query) if key == ATTEMPT_PARAMETER and WORD.fullmatch(value)]
    return NewReceipt(
        sid=callback.sid,
        status=callback.raw_status,
        error_code=callback.error_code,
        attempt_id=named[0] if len(named) == 1 else None,
        form=callback.form_json,
    )


class TwilioStatus:
    """The endpoint, with what it needs."""

    def __init__(self, parts: ReceiverParts, thread: LedgerThread) -> None:
        self._parts = parts
        self._thread = thread

    async def answer(self, request: Request) -> Response:
        """204 once the receipt is committed, known message or not; 403 forged; 503 to be asked again."""
        seconds = self._parts.patience.body_seconds
        raw = await read_raw(request, most=LARGEST_CALLBACK, seconds=seconds)
        callback = genuine_callback(self._parts.settings, request, raw)
        if callback is None:
            log.warning("twilio callback refused: %s", why_refused(request))
            return refusal(403)
        receipt = receipt_of(callback, request.scope["query_string"].decode("latin-1"))
        if receipt is None:
            log.error("twilio callback dropped: it names no message or no status")
            return Response(status_code=204)
        try:
            await self._thread.commit(lambda book: keep_receipt_in(book, receipt))
        except LedgerBusy as error:
            log.error("twilio callback not acknowledged: %s", error)  # noqa: TRY400 -- the text says it all
            return refusal(503)
        return Response(status_code=204)
