"""Twilio's 2010 API, as far as a notifier speaks it: messages, and the account."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import dropwhile, islice
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sandbox.callbacks import Callbacks
from deployments.sandbox.conditions import Conditions
from deployments.sandbox.credentials import (
    TWILIO_ACCOUNT_SID,
    TWILIO_API_KEY,
    TWILIO_API_SECRET,
    TWILIO_AUTH_TOKEN,
)
from deployments.sandbox.inbound import basic_credentials, form_pairs, not_modelled, pause, query_pairs, same
from deployments.sandbox.twilio_messages import (
    ACCOUNT_PATH,
    FINAL,
    BadDateError,
    Message,
    MessageBook,
    new_sid,
)
from deployments.sandbox.twilio_rules import NOT_MODELLED, NewMessage, RefusedError, checked

_LIST_QUERY = frozenset({"To", "From", "DateSent", "DateSent<", "DateSent>", "PageSize", "Page", "PageToken"})
_TOKEN_START = "PA"
Handler = Callable[[Request], Awaitable[Response]]


@dataclass
class TwilioApi:
    """Answers for one account from its messages."""

    conditions: Conditions
    book: MessageBook
    callbacks: Callbacks

    def routes(self) -> list[Route]:
        """Where each answer is found."""
        account = "/2010-04-01/Accounts/{account_sid}"
        return [
            self._route(f"{account}.json", "GET", self._account, keys=False),
            self._route(f"{account}/Messages.json", "POST", self._create),
            self._route(f"{account}/Messages.json", "GET", self._list),
            self._route(f"{account}/Messages/{{sid}}.json", "GET", self._fetch),
            self._route(f"{account}/Messages/{{sid}}.json", "POST", self._update),
        ]

    def _route(self, path: str, method: str, handler: Handler, *, keys: bool = True) -> Route:
        async def answer(request: Request) -> Response:
            await pause(request)
            if not _authenticated(request, keys=keys):
                response = _error(401, 20003)
                response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
            else:
                try:
                    response = await handler(request)
                except RefusedError as refused:
                    response = _error(400, refused.code)
            response.headers["Twilio-Request-Id"] = "RQ" + secrets.token_hex(16)
            return response

        return Route(path, answer, methods=[method])

    async def _create(self, request: Request) -> Response:
        pairs = await form_pairs(request)
        unplayed = sorted({name for name, _ in pairs} & NOT_MODELLED)
        if unplayed:
            return not_modelled(f"form parameter {unplayed[0]}")
        settings = self.conditions.settings
        wanted = checked(
            pairs,
            self.book.blocks,
            self.conditions.now(),
            loopback_callbacks=settings.loopback_callbacks,
            lead=timedelta(seconds=settings.schedule_lead_seconds),
        )
        if settings.ignores_schedules:
            wanted = replace(wanted, send_at=None)
        message = self._accept(wanted)
        answer = JSONResponse(message.wire(), status_code=201)
        self.callbacks.start(message, self.book.blocks, blocked=wanted.blocked)
        return answer

    def _accept(self, wanted: NewMessage) -> Message:
        now = self.conditions.now()
        status = "queued" if wanted.service is None else "accepted"
        message = Message(
            sid=new_sid(),
            to=wanted.to,
            body=wanted.body,
            # A Service picks the sender later: null at first, even where the form named one of its pool.
            sender=wanted.sender if wanted.service is None else None,
            service=wanted.service,
            status_callback=wanted.status_callback,
            status=status if wanted.send_at is None else "scheduled",
            created=now,
            updated=now,
            send_at=wanted.send_at,
            validity_seconds=wanted.validity_seconds,
            accepted_body=wanted.body,
        )
        self.book.add(message)
        return message

    async def _list(self, request: Request) -> Response:
        pairs = query_pairs(request)
        query = dict(pairs)
        if len(query) != len(pairs) or not query.keys() <= _LIST_QUERY:
            # Twilio silently ignores a filter that it does not know and lists everything (twilio-php#189).
            return not_modelled("a filter of the message list")
        size = query.get("PageSize", "50")
        if not size.isdigit() or not 1 <= int(size) <= 1000:
            raise RefusedError(20001)
        visible_until = self.conditions.now() - timedelta(seconds=self.conditions.settings.list_lag_seconds)
        try:
            rows = iter(list(self.book.newest_first(query, visible_until)))
        except BadDateError:
            raise RefusedError(20001) from None
        if "PageToken" in query:
            last_seen = query["PageToken"].removeprefix(_TOKEN_START)
            rows = islice(dropwhile(lambda row: row.sid != last_seen, rows), 1, None)
        page = list(islice(rows, int(size)))
        more = next(rows, None) is not None
        return JSONResponse(_page(page, query, int(size), more=more))

    async def _fetch(self, request: Request) -> Response:
        message = self._asked(request)
        return _error(404, 20404) if message is None else JSONResponse(message.wire())

    async def _update(self, request: Request) -> Response:
        message, form = self._asked(request), await form_pairs(request)
        if message is None:
            return _error(404, 20404)
        now = self.conditions.now()
        if form == [("Body", "")]:
            if message.status not in FINAL | {"sent"}:
                return _error(409, 20009)
            message.body, message.updated = "", now
        elif form == [("Status", "canceled")]:
            if message.status != "scheduled" or self._is_too_late(message, now):
                raise RefusedError(30409)
            message.move("canceled", now)
        else:
            # Only an empty body and a cancellation of what is still scheduled can be written.
            raise RefusedError(20001)
        return JSONResponse(message.wire())

    def _is_too_late(self, message: Message, now: datetime) -> bool:
        """Whether a scheduled message is so near its time that Twilio cancels it no more."""
        before = timedelta(seconds=self.conditions.settings.cancel_until_seconds)
        return message.send_at is not None and now >= message.send_at - before

    async def _account(self, request: Request) -> Response:
        return JSONResponse(
            {
                "sid": TWILIO_ACCOUNT_SID,
                "friendly_name": "Sandbox account",
                "status": "active",
                "type": "Full",
                "owner_account_sid": TWILIO_ACCOUNT_SID,
                "uri": f"{ACCOUNT_PATH}.json",
            }
        )

    def _asked(self, request: Request) -> Message | None:
        return self.book.messages.get(str(request.path_params["sid"]))


def _authenticated(request: Request, *, keys: bool) -> bool:
    user, password = basic_credentials(request) or ("", "")
    by_token = same(user, TWILIO_ACCOUNT_SID) and same(password, TWILIO_AUTH_TOKEN)
    # A standard API key opens everything but the account itself and its keys (twilio.com/docs/iam/api-keys).
    by_key = keys and same(user, TWILIO_API_KEY) and same(password, TWILIO_API_SECRET)
    return (by_token or by_key) and request.path_params["account_sid"] == TWILIO_ACCOUNT_SID


def _error(status: int, code: int) -> Response:
    return JSONResponse(
        {
            "code": code,
            "message": f"The sandbox refuses this with {code}",
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        },
        status_code=status,
    )


def _page(page: list[Message], query: Mapping[str, str], size: int, *, more: bool) -> dict[str, object]:
    number = int(query.get("Page", "0"))
    filters = {name: value for name, value in query.items() if name not in {"Page", "PageToken", "PageSize"}}
    path = f"{ACCOUNT_PATH}/Messages.json"

    def uri(which: int, token: str = "") -> str:
        tail = {"PageToken": token} if token else {}
        return f"{path}?{urlencode(filters | {'PageSize': str(size), 'Page': str(which)} | tail)}"

    return {
        "messages": [message.wire() for message in page],
        "page": number,
        "page_size": size,
        "start": number * size,
        "end": number * size + max(0, len(page) - 1),
        "uri": uri(number, query.get("PageToken", "")),
        "first_page_uri": uri(0),
        "next_page_uri": uri(number + 1, _TOKEN_START + page[-1].sid) if more else None,
        "previous_page_uri": None,
    }
