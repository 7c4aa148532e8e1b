"""SendGrid's v3 interface, as far as a notifier speaks it: sending, batches, and cancelling what is held."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sandbox.conditions import Conditions
from deployments.sandbox.credentials import SENDGRID_API_KEY
from deployments.sandbox.email_book import Mail, MailBook, new_message_id
from deployments.sandbox.email_lives import MailLives
from deployments.sandbox.email_sendgrid_rules import (
    NewSendGridMail,
    SendGridRefusedError,
    checked,
    is_modelled,
)
from deployments.sandbox.inbound import not_modelled, pause, same
from deployments.sandbox.wire import Record, read_json, record_of, text_of

MOST_CANCELLED = 10
LAST_MINUTES = timedelta(minutes=10)
Handler = Callable[[Request], Awaitable[Response]]


@dataclass
class SendGridApi:
    """Answers for one account from its emails."""

    conditions: Conditions
    book: MailBook
    lives: MailLives

    def routes(self) -> list[Route]:
        """Where each answer is found."""
        return [
            self._route("/v3/mail/send", "POST", self._send),
            self._route("/v3/mail/batch", "POST", self._create_batch),
            self._route("/v3/mail/batch/{batch_id}", "GET", self._check_batch),
            self._route("/v3/user/scheduled_sends", "POST", self._ask_of_batch),
            self._route("/v3/user/scheduled_sends/{batch_id}", "GET", self._asked_of_batch),
        ]

    def _route(self, path: str, method: str, handler: Handler) -> Route:
        async def answer(request: Request) -> Response:
            await pause(request)
            scheme, _, key = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not same(key, SENDGRID_API_KEY):
                return _error(401, None, "The provided authorization grant is invalid, expired, or revoked")
            try:
                return await handler(request)
            except SendGridRefusedError as refused:
                return _error(refused.status, refused.field, refused.message)

        return Route(path, answer, methods=[method])

    async def _send(self, request: Request) -> Response:
        body = await _body(request)
        if not is_modelled(body):
            return not_modelled("an email with more than one of something, or with parts of its own")
        wanted = checked(body, self.book.batches, self.conditions.now())
        if wanted.sandboxed:
            return Response(status_code=200)
        mail = self._accept(wanted)
        self.lives.start(mail)
        return Response(status_code=202, headers={"X-Message-Id": mail.sid})

    def _accept(self, wanted: NewSendGridMail) -> Mail:
        now = self.conditions.now()
        mail = Mail(
            provider="sendgrid",
            sid=new_message_id(),
            email_id="",
            to=wanted.to,
            sender=wanted.sender,
            sender_name=wanted.sender_name,
            reply_to=wanted.reply_to,
            subject=wanted.subject,
            text=wanted.text,
            html=wanted.html,
            tags=wanted.arguments,
            created=now,
            updated=now,
            status="queued" if wanted.send_at is None else "scheduled",
            send_at=wanted.send_at,
            batch_id=wanted.batch_id,
        )
        self.book.mails.append(mail)
        return mail

    async def _create_batch(self, request: Request) -> Response:
        del request
        batch_id = secrets.token_urlsafe(36)
        self.book.batches[batch_id] = ""
        return JSONResponse({"batch_id": batch_id}, status_code=201)

    async def _check_batch(self, request: Request) -> Response:
        batch_id = str(request.path_params["batch_id"])
        if batch_id not in self.book.batches:
            return _error(400, None, "invalid batch id")
        return JSONResponse({"batch_id": batch_id})

    async def _ask_of_batch(self, request: Request) -> Response:
        body = await _body(request)
        batch_id, status = text_of(body, "batch_id"), text_of(body, "status")
        if batch_id not in self.book.batches or status not in {"cancel", "pause"}:
            return _error(400, "batch_id", "invalid batch id or status")
        if self.book.batches[batch_id]:
            return _error(400, "batch_id", "a status was set for this batch before: update it")
        now = self.conditions.now()
        if any(moment < now + LAST_MINUTES for moment in self.book.times_of(batch_id)):
            return _error(400, "batch_id", "too near to the time to send at")
        asked = [one for one, status in self.book.batches.items() if status]
        if sum(not self.book.is_over(one, now) for one in asked) >= MOST_CANCELLED:
            return _error(400, None, "the maximum number of cancellations and pauses was reached")
        self.book.batches[batch_id] = status
        return JSONResponse({"batch_id": batch_id, "status": status}, status_code=201)

    async def _asked_of_batch(self, request: Request) -> Response:
        batch_id = str(request.path_params["batch_id"])
        asked = self.book.batches.get(batch_id)
        return JSONResponse([{"batch_id": batch_id, "status": asked}] if asked else [])


async def _body(request: Request) -> Record:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise SendGridRefusedError(None, "Content-Type should be application/json.", 415)
    try:
        return record_of(read_json(await request.body()))
    except ValueError:
        raise SendGridRefusedError(None, "Bad Request") from None


def _error(status: int, field: str | None, message: str) -> Response:
    body = {"errors": [{"message": message, "field": field, "help": None}]}
    return JSONResponse(body, status_code=status)
