"""Twilio's messages as they are kept: the resource, its wire form, and the list with its lag."""

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from deployments.sandbox.control_types import AcceptedMessage, HeldConsent
from deployments.sandbox.credentials import TWILIO_ACCOUNT_SID, TWILIO_FROM

API_VERSION = "2010-04-01"
ACCOUNT_PATH = f"/{API_VERSION}/Accounts/{TWILIO_ACCOUNT_SID}"
FINAL = frozenset({"delivered", "undelivered", "failed", "canceled"})
# 3GPP TS 23.038: one character outside of this alphabet turns the whole message into UCS-2.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("^{}\\[]~|€\f")
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")


def segments(body: str) -> int:
    """How many SMS a text takes: 160 and 153 characters in GSM-7, 70 and 67 in UCS-2."""
    if set(body) <= _GSM | _GSM_TWICE:
        length, single, part = len(body) + sum(c in _GSM_TWICE for c in body), 160, 153
    else:
        length, single, part = len(body.encode("utf-16-le")) // 2, 70, 67
    return 1 if length <= single else -(-length // part)


@dataclass
class Message:
    """One outbound message. ``accepted_body`` outlives a redaction; it is for the oracle alone."""

    sid: str
    to: str
    body: str
    sender: str | None
    service: str | None
    status_callback: str | None
    status: str
    created: datetime
    updated: datetime
    send_at: datetime | None = None
    validity_seconds: int = 36_000
    sent: datetime | None = None
    error_code: int | None = None
    accepted_body: str = ""

    def move(self, status: str, now: datetime, error_code: int | None = None) -> None:
        """Reach ``status``; a Service chooses its sender when it queues."""
        self.status, self.updated, self.error_code = status, now, error_code
        if status not in {"accepted", "scheduled", "canceled"} and self.sender is None:
            self.sender = TWILIO_FROM
        if status == "sent" and self.sent is None:
            self.sent = now

    @property
    def expires(self) -> datetime:
        """When it is not sent any more, should it still be queued; a scheduled one begins to wait late."""
        return (self.send_at or self.created) + timedelta(seconds=self.validity_seconds)

    def wire(self) -> dict[str, object]:
        """The Message resource as Twilio writes it."""
        uri = f"{ACCOUNT_PATH}/Messages/{self.sid}"
        early = self.service is not None and self.sent is None
        return {
            "sid": self.sid,
            "account_sid": TWILIO_ACCOUNT_SID,
            "api_version": API_VERSION,
            "body": self.body,
            "date_created": format_datetime(self.created),
            "date_sent": format_datetime(self.sent) if self.sent else None,
            "date_updated": format_datetime(self.updated),
            "direction": "outbound-api",
            "error_code": self.error_code,
            "error_message": None,
            "from": self.sender,
            "messaging_service_sid": self.service,
            "num_media": "0",
            "num_segments": "0" if early else str(segments(self.accepted_body)),
            "price": None,
            "price_unit": None,
            "status": self.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": self.to,
            "uri": f"{uri}.json",
        }

    def told(self) -> AcceptedMessage:
        """The message as the oracle tells it."""
        return AcceptedMessage(
            sid=self.sid,
            to=self.to,
            body=self.accepted_body,
            status_callback=self.status_callback,
            accepted_at=self.created,
            status=self.status,
            from_=self.sender,
            messaging_service_sid=self.service,
            send_at=self.send_at,
            validity_seconds=self.validity_seconds,
            error_code=self.error_code,
        )


class BadDateError(Exception):
    """A date filter that Twilio cannot read: 20001."""


@dataclass(frozen=True, slots=True)
class DateFilter:
    """Bounds of ``date_sent``: whole days where the filter named days, instants where it named instants."""

    since: datetime | None
    until: datetime | None

    def passes(self, sent: datetime | None) -> bool:
        """Whether a message sent then is listed. One that was not sent yet is in no filtered list."""
        if self.since is None and self.until is None:
            return True
        if sent is None:
            return False
        sent = sent.replace(microsecond=0)
        return (self.since is None or sent >= self.since) and (self.until is None or sent < self.until)


def date_filter(query: Mapping[str, str]) -> DateFilter:
    """The filter of ``DateSent``, ``DateSent<`` and ``DateSent>``, whose names carry the inequality."""
    day = query.get("DateSent")
    after, before = query.get("DateSent>", day), query.get("DateSent<", day)
    until = None
    if before is not None:
        until = _moment(before) + (timedelta(days=1) if _DAY.match(before) else timedelta(seconds=1))
    return DateFilter(_moment(after) if after is not None else None, until)


def _moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise BadDateError(value) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Blocks = Callable[[str, str], bool]
"""Whether a number opted out of a sender."""


@dataclass
class MessageBook:
    """Every message of the account, oldest first inside and newest first in lists, and who opted out.

    ``opted_out`` are numbers that said STOP to every sender; a consent for one sender goes before it.
    ``consent_log`` is every consent that was taken, in order.
    """

    messages: dict[str, Message] = field(default_factory=dict[str, Message])
    opted_out: set[str] = field(default_factory=set[str])
    consents: dict[tuple[str, str], HeldConsent] = field(default_factory=dict[tuple[str, str], HeldConsent])
    consent_log: list[HeldConsent] = field(default_factory=list[HeldConsent])

    def blocks(self, to: str, sender: str) -> bool:
        """Whether a number opted out of this sender, a Messaging Service or a number."""
        held = self.consents.get((to, sender))
        return held.status == "opt-out" if held else to in self.opted_out

    def hear(self, number: str, sender: str, *, opted_out: bool) -> None:
        """The number says STOP or START, to one sender or, without one, to all of them."""
        if sender:
            status = "opt-out" if opted_out else "opt-in"
            self.consents[number, sender] = HeldConsent(number, sender, status, "word")
            return
        (self.opted_out.add if opted_out else self.opted_out.discard)(number)
        self.consents = {key: held for key, held in self.consents.items() if key[0] != number}

    def add(self, message: Message) -> None:
        """Accept a message."""
        self.messages[message.sid] = message

    def newest_first(self, query: Mapping[str, str], visible_until: datetime) -> Iterator[Message]:
        """The list that a query asks for, without what was accepted after ``visible_until``."""
        dates = date_filter(query)
        for message in reversed(self.messages.values()):
            if message.created > visible_until:
                continue
            if query.get("To") not in {None, message.to} or query.get("From") not in {None, message.sender}:
                continue
            if dates.passes(message.sent):
                yield message


def new_sid() -> str:
    """A fresh message SID."""
    return "SM" + secrets.token_hex(16)
