"""Twilio's checks of a new message, in one place: which code refuses what."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import phonenumbers

from deployments.sandbox.credentials import MESSAGING_SERVICE_SID, TWILIO_FROM
from deployments.sandbox.twilio_messages import Blocks

MAX_BODY = 1600
MAX_CALLBACK_URL = 4000
KNOWN = frozenset({
    "To", "From", "MessagingServiceSid", "Body", "StatusCallback", "ValidityPeriod", "ScheduleType", "SendAt",
    "MessageIntent", "SmartEncoded", "ProvideFeedback", "Attempt", "RiskCheck",
})  # fmt: skip
# Twilio knows these; nothing here plays them, so they are refused as not modelled instead of being ignored.
NOT_MODELLED = frozenset({
    "MediaUrl", "ContentSid", "ContentVariables", "ApplicationSid", "MaxPrice", "ForceDelivery",
    "TrafficType", "ContentRetention", "AddressRetention", "PersistentAction", "ShortenUrls", "SendAsMms",
    "FallbackFrom",
})  # fmt: skip
INTENTS = frozenset({
    "otp", "notifications", "marketing", "fraud", "security", "customercare", "delivery", "education",
    "polling", "announcements", "events",
})  # fmt: skip
# twilio.com/docs/iam/test-credentials, the numbers that always fail in one way.
MAGIC_FROM = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}
MAGIC_TO = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
LANDLINE_TRIED = frozenset({"US", "CA", "GB"})  # twilio.com/docs/api/errors/21635
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_-]{1,11}")
_E164 = re.compile(r"^\+[1-9]\d{6,14}$")
_SEND_AT = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")
_LATEST = timedelta(days=35)  # twilio.com/docs/api/errors/35115


class RefusedError(Exception):
    """Twilio answers 400 with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A create request that passed. ``blocked``: the recipient opted out, which a Service finds out late."""

    to: str
    body: str
    sender: str | None
    service: str | None
    status_callback: str | None
    send_at: datetime | None
    validity_seconds: int
    blocked: bool


def checked(
    pairs: Sequence[tuple[str, str]],
    blocks: Blocks,
    now: datetime,
    *,
    loopback_callbacks: bool,
    lead: timedelta,
) -> NewMessage:
    """The message that a form asks for. Raises ``RefusedError`` with Twilio's code for the first fault."""
    form = dict(pairs)
    if len(form) != len(pairs) or not form.keys() <= KNOWN:
        # Some of Twilio's products only warn of an unknown parameter; a stand-in that did would hide typos.
        raise RefusedError(20001)
    service = form.get("MessagingServiceSid")
    to = _recipient(form)
    sender = _sender(form, service)
    _body(form)
    _callback(form, loopback_callbacks=loopback_callbacks)
    validity = _validity(form)
    _options(form)
    send_at = _send_at(form, service, now, lead)
    blocked = blocks(to, service or sender or "") or MAGIC_TO.get(to) == 21610
    if blocked and service is None:
        raise RefusedError(21610)
    callback = form.get("StatusCallback")
    return NewMessage(to, form["Body"], sender, service, callback, send_at, validity, blocked)


def _recipient(form: Mapping[str, str]) -> str:
    to = form.get("To", "")
    if not to:
        raise RefusedError(21604)
    code = MAGIC_TO.get(to, 0)
    if code and code != 21610:
        raise RefusedError(code)
    if code == 21610:
        return to
    if not _E164.match(to) or to == form.get("From"):
        raise RefusedError(21211)
    number = phonenumbers.parse(to)
    if not phonenumbers.is_valid_number(number):
        raise RefusedError(21211)
    landline = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.FIXED_LINE
    if landline and phonenumbers.region_code_for_number(number) not in LANDLINE_TRIED:
        raise RefusedError(21635)
    return to


def _sender(form: Mapping[str, str], service: str | None) -> str | None:
    sender = form.get("From")
    if service is not None and service != MESSAGING_SERVICE_SID:
        raise RefusedError(21701 if re.fullmatch(r"MG[0-9a-fA-F]{32}", service) else 21705)
    if sender is None and service is None:
        raise RefusedError(21603)
    if sender is not None and service is None and _NAME.fullmatch(sender):
        # Any account may write under a name; not to these two countries (twilio.com/docs/api/errors/21612).
        region = phonenumbers.region_code_for_number(phonenumbers.parse(form["To"]))
        if region in {"US", "CA"}:
            raise RefusedError(21612)
        return sender
    if sender is not None and sender != TWILIO_FROM:
        raise RefusedError(MAGIC_FROM.get(sender, 21606))
    return sender


def _body(form: Mapping[str, str]) -> None:
    body = form.get("Body", "")
    if not body:
        raise RefusedError(21602)
    if len(body) > MAX_BODY:
        raise RefusedError(21617)


def _callback(form: Mapping[str, str], *, loopback_callbacks: bool) -> None:
    url = form.get("StatusCallback")
    if url is None:
        return
    try:
        host, scheme = urlsplit(url).hostname or "", urlsplit(url).scheme
    except ValueError:
        raise RefusedError(21609) from None
    wrong = len(url) > MAX_CALLBACK_URL or scheme not in {"http", "https"} or not host or "_" in host
    if wrong or (_is_loopback(host) and not loopback_callbacks):
        raise RefusedError(21609)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _validity(form: Mapping[str, str]) -> int:
    """How many seconds the message may wait in the queue (twilio.com/docs/api/errors/21624)."""
    validity = form.get("ValidityPeriod", "36000")
    if not validity.isascii() or not validity.isdigit() or not 1 <= int(validity) <= 36_000:
        raise RefusedError(21624)
    return int(validity)


def _options(form: Mapping[str, str]) -> None:
    fits = (
        form.get("SmartEncoded", "true") in {"true", "false"},
        form.get("ProvideFeedback", "true") in {"true", "false"},
        form.get("RiskCheck", "enable") in {"enable", "disable"},
        form.get("MessageIntent", "notifications") in INTENTS,
        form.get("Attempt", "1").isdigit(),
    )
    if not all(fits):
        raise RefusedError(20001)


def _send_at(form: Mapping[str, str], service: str | None, now: datetime, lead: timedelta) -> datetime | None:
    if "ScheduleType" not in form and "SendAt" not in form:
        return None
    if service is None:
        raise RefusedError(35118)
    if form.get("ScheduleType") != "fixed":
        raise RefusedError(35117)
    if "SendAt" not in form:
        raise RefusedError(35111)
    if not _SEND_AT.match(form["SendAt"]):
        raise RefusedError(35114)
    try:
        send_at = datetime.fromisoformat(form["SendAt"]).astimezone(UTC)
    except ValueError:
        raise RefusedError(35114) from None
    if not now + lead < send_at <= now + _LATEST:
        raise RefusedError(35115)
    return send_at
