"""Twilio's Consent Management API: up to 25 upserts in one form, each answered for itself."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sandbox.conditions import Conditions
from deployments.sandbox.control_types import HeldConsent
from deployments.sandbox.credentials import (
    MESSAGING_SERVICE_SID,
    TWILIO_ACCOUNT_SID,
    TWILIO_API_KEY,
    TWILIO_API_SECRET,
    TWILIO_AUTH_TOKEN,
    TWILIO_FROM,
)
from deployments.sandbox.inbound import basic_credentials, form_pairs, pause, same
from deployments.sandbox.twilio_messages import MessageBook

PATH = "/v1/Consents/Bulk"
MOST_ITEMS, MOST_A_MINUTE = 25, 100
FAILED = 30646  # twilio.com/docs/api/errors/30646
STATUSES = frozenset({"opt-in", "opt-out"})
SOURCES = frozenset({"website", "offline", "opt-in-message", "opt-out-message", "others"})
OWN_SENDERS = frozenset({TWILIO_FROM, MESSAGING_SERVICE_SID})
KEYS = frozenset({"contact_id", "correlation_id", "sender_id", "status", "source", "date_of_consent"})
E164, CORRELATION = re.compile(r"\+[1-9][0-9]{6,14}"), re.compile(r"[0-9a-f]{32}")


@dataclass
class ConsentApi:
    """Keeps consents in the book of messages, where they decide who is written to."""

    conditions: Conditions
    book: MessageBook
    _began: datetime | None = None
    _used: int = 0
    _seen: set[str] = field(default_factory=set[str])

    def routes(self) -> list[Route]:
        """The one route."""
        return [Route(PATH, self._answer, methods=["POST"])]

    async def _answer(self, request: Request) -> Response:
        await pause(request)
        if not _authenticated(request):
            return _error(401, 20003)
        status = self.conditions.settings.consents_status
        if status != 201:
            return _error(status, 20404 if status == 404 else 20003)
        if self._is_one_too_many():
            return _error(429, 20429)
        pairs = await form_pairs(request)
        items = [_item(value) for name, value in pairs if name == "Items"]
        if not items or len(items) > MOST_ITEMS or len(items) != len(pairs) or None in items:
            return _error(400, 20001)
        told = [self._keep(item) for item in items if item is not None]
        return JSONResponse({"items": told}, status_code=201)

    def _is_one_too_many(self) -> bool:
        now = self.conditions.now()
        if self._began is None or now >= self._began + timedelta(minutes=1):
            self._began, self._used = now, 0
        self._used += 1
        return self._used > MOST_A_MINUTE

    def _keep(self, item: Mapping[str, str]) -> dict[str, object]:
        wrong = self._faults(item)
        self._seen.add(item.get("correlation_id", ""))
        if not wrong:
            held = HeldConsent(
                item["contact_id"],
                item["sender_id"],
                item["status"],
                item["source"],
                item.get("date_of_consent", ""),
            )
            self.book.consents[held.contact_id, held.sender_id] = held
            self.book.consent_log.append(held)
        return {
            "correlation_id": item.get("correlation_id", ""),
            "error_code": FAILED if wrong else 0,
            "error_messages": wrong,
        }

    def _faults(self, item: Mapping[str, str]) -> list[str]:
        correlation = item.get("correlation_id", "")
        fits = {
            "INVALID_CORRELATION_ID": CORRELATION.fullmatch(correlation) and correlation not in self._seen,
            "INVALID_SENDER_ID": item.get("sender_id") in OWN_SENDERS,
            "INVALID_CONTACT_ID": E164.fullmatch(item.get("contact_id", "")),
            "INVALID_STATUS": item.get("status") in STATUSES,
            "INVALID_SOURCE": item.get("source") in SOURCES,
            "INVALID_DATE_OF_CONSENT": self._is_date(item.get("date_of_consent")),
        }
        scripted = self.conditions.settings.consent_errors.get(item.get("contact_id", ""))
        return [*(word for word, fit in fits.items() if not fit), *([scripted] if scripted else [])]

    def _is_date(self, text: str | None) -> bool:
        if text is None:
            return True
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return False
        return moment.tzinfo is not None and moment <= self.conditions.now() + timedelta(minutes=5)


def _item(value: str) -> dict[str, str] | None:
    try:
        read: object = json.loads(value)
    except ValueError:
        return None
    if not isinstance(read, dict):
        return None
    item = cast("dict[str, object]", read)
    known = item.keys() <= KEYS and all(isinstance(one, str) for one in item.values())
    return cast("dict[str, str]", item) if known else None


def _authenticated(request: Request) -> bool:
    user, password = basic_credentials(request) or ("", "")
    by_token = same(user, TWILIO_ACCOUNT_SID) and same(password, TWILIO_AUTH_TOKEN)
    return by_token or (same(user, TWILIO_API_KEY) and same(password, TWILIO_API_SECRET))


def _error(status: int, code: int) -> Response:
    body = {"code": code, "message": f"The sandbox refuses this with {code}", "status": status}
    return JSONResponse(body, status_code=status)
