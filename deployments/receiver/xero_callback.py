"""``GET /xero/callback``: the browser comes back from Xero's consent page; `duebell connect` waits for it.

What it says is read by a person, so it is a page, and always one of these few: nothing of the request is
repeated in it, and the address with the code goes into no log, no referrer and no cache.
"""

import logging

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from deployments.receiver.ledger_thread import LedgerBusy, LedgerThread
from deployments.receiver.parts import ReceiverParts
from duebell.connecting.consent_answer import BroughtBack, brought_back, keep_answer
from duebell.errors import ConfigurationError
from duebell.vault import Vault, load_or_create_keys

log = logging.getLogger("duebell.receiver")

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Duebell: {title}</title></head>
<body><h1>{title}</h1><p>{text}</p></body>
</html>
"""
AGREED = PAGE.format(
    title="Xero's answer has arrived",
    text="Go back to the terminal in which <code>duebell connect</code> is waiting. You can close this page.",
)
REFUSED = PAGE.format(
    title="Nothing was connected",
    text="Xero sent you back without access. The terminal in which <code>duebell connect</code> is waiting "
    "says why. You can close this page.",
)
NOT_ASKED = PAGE.format(
    title="This answer was not asked for",
    text="It is too old, was used already, or belongs to no question of this installation. Nothing was "
    "kept. Run <code>duebell connect</code> to begin anew.",
)
AWAY = PAGE.format(
    title="Duebell could not keep the answer",
    text="Load this page again in a moment. If that does not help, see the receiver's log.",
)


def page(text: str, status: int = 200) -> Response:
    """One of the pages."""
    return HTMLResponse(text, status, headers=HEADERS)


class XeroCallback:
    """The endpoint, with what it needs."""

    def __init__(self, parts: ReceiverParts, thread: LedgerThread) -> None:
        self._parts = parts
        self._thread = thread

    async def answer(self, request: Request) -> Response:
        """200 once the answer is committed, 400 where nobody asked for it, 503 where it could not be kept."""
        if request.method != "GET":
            # Starlette answers HEAD where it answers GET, and a mail scanner's HEAD would use the consent up.
            raise HTTPException(405, headers={"Allow": "GET"})
        brought = brought_back(request.scope["query_string"].decode("latin-1"))
        try:
            kept = brought is not None and await self._thread.alone(lambda: self._keep(brought))
        except (LedgerBusy, ConfigurationError) as error:
            log.error("xero's answer to a consent was not kept: %s", error)  # noqa: TRY400 -- the text says it all
            return page(AWAY, 503)
        if brought is None or not kept:
            log.warning("a consent's answer refused: its state is unknown, over or used")
            return page(NOT_ASKED, 400)
        log.info("xero's answer to a consent kept")
        return page(REFUSED if brought.refused_why else AGREED)

    def _keep(self, brought: BroughtBack) -> bool:
        # Opened for each answer: they are few, and a receiver that never sees one needs no keys.
        vault = Vault(load_or_create_keys(self._parts.settings))
        return keep_answer(self._parts.engine, vault, brought, now=self._parts.clock())
