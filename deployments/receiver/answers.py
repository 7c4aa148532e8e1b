"""What the receiver answers when it does not do what it was asked: a status and nothing else."""

import logging

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("duebell.receiver")


def refusal(status: int) -> Response:
    """An empty answer that ends the connection: what is left of a refused body is not read."""
    return Response(status_code=status, headers={"connection": "close"})


async def without_words(_request: Request, error: Exception) -> Response:
    """Any ``HTTPException`` as its status and headers (``Allow``), without Starlette's text."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    answer = refusal(status)
    answer.headers.update((error.headers if isinstance(error, HTTPException) else None) or {})
    return answer


class Reticent:
    """Lets only a path through that is spelt as it is routed, and no exception's text out.

    Starlette routes the decoded path, in which ``/webhooks/%78ero`` and ``/webhooks/xero%0A`` are
    ``/webhooks/xero``; the raw one is also what Twilio signs. An exception that gets out would be logged by
    uvicorn with its text, and SQLAlchemy's texts hold the parameters of the statement.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; whatever else the server says goes through as it is."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["raw_path"] != scope["path"].encode("utf-8", "surrogatepass"):
            await refusal(404)(scope, receive, send)
            return
        began = False

        async def noting(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:  # noqa: BLE001 -- the last line: nothing of it may reach the caller or a log
            log.error("%s %s failed: %s", scope["method"], scope["path"], type(error).__name__)  # noqa: TRY400 -- a traceback holds the body
            if not began:
                await refusal(500)(scope, receive, send)
