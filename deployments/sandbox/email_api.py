"""Twilio's Email API (comms.twilio.com): emails, operations, and the list by tag."""

import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sandbox.conditions import Conditions
from deployments.sandbox.credentials import (
    TWILIO_ACCOUNT_SID,
    TWILIO_API_KEY,
    TWILIO_API_SECRET,
    TWILIO_AUTH_TOKEN,
)
from deployments.sandbox.email_book import Mail, MailBook, new_id
from deployments.sandbox.email_liquid import LiquidError, rendered
from deployments.sandbox.email_lives import MailLives
from deployments.sandbox.email_rules import MAX_REQUEST, NOT_MODELLED, FaultyMailError, NewMail, checked
from deployments.sandbox.inbound import basic_credentials, not_modelled, pause, query_pairs, same
from deployments.sandbox.wire import read_json, record_of, records_of

_LIST_QUERY = frozenset({"operationId", "tags", "status", "pageSize", "pageToken"})
_TAGS = re.compile(r"(?:[a-zA-Z0-9._~-]+:[a-zA-Z0-9._~-]+;){1,10}")
Handler = Callable[[Request], Awaitable[Response]]


@dataclass
class TwilioEmailApi:
    """Answers for one account from its emails."""

    conditions: Conditions
    book: MailBook
    lives: MailLives

    def routes(self) -> list[Route]:
        """Where each answer is found."""
        return [
            self._route("/v1/Emails", "POST", self._create),
            self._route("/v1/Emails", "GET", self._list),
            self._route("/v1/Emails/{email_id}", "GET", self._fetch),
            self._route("/v1/Emails/Operations/{sid}", "GET", self._operation),
        ]

    def _route(self, path: str, method: str, handler: Handler) -> Route:
        async def answer(request: Request) -> Response:
            await pause(request)
            if not _authenticated(request):
                response = problem(401, 20003, "Authenticate")
                response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
            else:
                response = await handler(request)
            response.headers["Twilio-Request-Id"] = "RQ" + secrets.token_hex(16)
            return response

        return Route(path, answer, methods=[method])

    async def _create(self, request: Request) -> Response:
        raw = await request.body()
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return problem(400, 20001, "The body is not JSON")
        try:
            body = record_of(read_json(raw))
        except ValueError:
            body = {}
        unplayed = sorted(body.keys() & NOT_MODELLED)
        if unplayed or len(records_of(body.get("to"))) > 1 or "attachments" in record_of(body.get("content")):
            return not_modelled(f"an email with {unplayed[0] if unplayed else 'more than one of something'}")
        if len(raw) > MAX_REQUEST:
            return problem(400, 20001, "The request is too large")
        try:
            mail = self._accept(checked(body))
        except FaultyMailError as refused:
            return problem(400, 20001, "The email is not valid", refused.faults)
        self.lives.start(mail)
        place = f"{request.url.scheme}://{request.url.netloc}/v1/Emails/Operations/{mail.sid}"
        return JSONResponse({"operationId": mail.sid, "operationLocation": place}, status_code=202)

    def _accept(self, wanted: NewMail) -> Mail:
        now = self.conditions.now()
        shown, broken = self._shown(wanted)
        mail = Mail(
            provider="twilio",
            sid=new_id("operation"),
            email_id=new_id("email"),
            to=wanted.to,
            sender=wanted.sender,
            sender_name=wanted.sender_name,
            reply_to=wanted.reply_to,
            subject=shown[0],
            text=shown[1],
            html=shown[2],
            tags=wanted.tags,
            created=now,
            updated=now,
            broken=broken,
        )
        self.book.mails.append(mail)
        return mail

    def _shown(self, wanted: NewMail) -> tuple[tuple[str, str, str], bool]:
        """Subject, text and HTML after templating; as they are, and broken, where that fails."""
        templates = (wanted.subject, wanted.text, wanted.html)
        try:
            subject, text, html = (rendered(template, wanted.variables) for template in templates)
        except LiquidError:
            return templates, True
        return (subject, text, html), False

    async def _list(self, request: Request) -> Response:
        pairs = query_pairs(request)
        query = dict(pairs)
        if len(query) != len(pairs) or not query.keys() <= _LIST_QUERY or "pageToken" in query:
            return not_modelled("a filter or a further page of the list of emails")
        size = query.get("pageSize", "50")
        if not size.isdigit() or not 1 <= int(size) <= 1000:
            return problem(400, 20001, "pageSize is not 1 to 1000")
        if "tags" in query and not _TAGS.fullmatch(query["tags"]):
            return problem(400, 20001, "tags are not key:value;")
        now = self.conditions.now()
        visible_until = now - timedelta(seconds=self.conditions.settings.list_lag_seconds)
        found = self.book.listed(query, now, visible_until)
        if len(found) > int(size):
            return not_modelled("a list of emails with several pages")
        here = f"{request.url.path}?{request.url.query}"
        emails = [mail.wire() for mail in found]
        return JSONResponse({"emails": emails, "pagination": {"next": None, "self": here}})

    async def _fetch(self, request: Request) -> Response:
        wanted = str(request.path_params["email_id"])
        found = next((m for m in self.book.kept(self.conditions.now()) if m.email_id == wanted), None)
        if found is None:
            return problem(404, 20404, "No such email")
        content = {"subject": found.subject, "html": found.html, "text": found.text}
        return JSONResponse(found.wire() | {"content": content})

    async def _operation(self, request: Request) -> Response:
        wanted = str(request.path_params["sid"])
        found = next((m for m in self.book.kept(self.conditions.now()) if m.sid == wanted), None)
        return problem(404, 20404, "No such operation") if found is None else JSONResponse(found.operation())


def _authenticated(request: Request) -> bool:
    user, password = basic_credentials(request) or ("", "")
    by_token = same(user, TWILIO_ACCOUNT_SID) and same(password, TWILIO_AUTH_TOKEN)
    return by_token or (same(user, TWILIO_API_KEY) and same(password, TWILIO_API_SECRET))


def problem(status: int, code: int, title: str, faults: list[tuple[str, str]] | None = None) -> Response:
    """An error as Twilio's newer interfaces write it (RFC 9457)."""
    body = {
        "type": f"https://www.twilio.com/docs/api/errors/{code}",
        "title": title,
        "status": status,
        "code": code,
        "errors": [{"pointer": pointer, "detail": detail} for pointer, detail in faults or ()],
    }
    return JSONResponse(body, status_code=status, media_type="application/problem+json")
