"""Status callbacks: the address that Twilio is given for them, and what one of them says."""

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import quote, urlsplit

from duebell.twilio.codes import error_code
from duebell.twilio.statuses import MessageStatus, message_status

STATUS_PATH = "/webhooks/twilio/status"
ATTEMPT_PARAMETER = "n"

# Connection overrides (twilio.com/docs/usage/webhooks/webhooks-connection-overrides): by default Twilio tries
# again once and only when it could not connect; this asks for five more tries after any failure, within 15 s.
_OVERRIDES = "#rc=5&rp=all"

_HOSTNAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PRIVATE_ENDINGS = (".localhost", ".local", ".internal", ".test", ".invalid", ".home.arpa")


@dataclass(frozen=True, slots=True)
class StatusCallback:
    """One status callback. A field that was not sent is empty; ``error_code`` is then ``None``.

    ``form_json`` is the whole form, unknown fields too, for the ledger alone: it holds phone numbers.
    """

    sid: str
    status: MessageStatus
    raw_status: str
    error_code: int | None
    account_sid: str
    to: str = field(repr=False)
    form_json: str = field(repr=False)


def read_status_callback(form: Mapping[str, str] | Iterable[tuple[str, str]]) -> StatusCallback:
    """Read the fields of a callback, from a mapping or from pairs in which a key may repeat. Never raises."""
    fields: dict[str, list[str]] = {}
    for key, value in _pairs(form):
        fields.setdefault(key, []).append(value)

    def first(*names: str) -> str:
        return next((value for name in names for value in fields.get(name, ()) if value), "")

    raw_status = first("MessageStatus", "SmsStatus")
    return StatusCallback(
        sid=first("MessageSid", "SmsSid"),
        status=message_status(raw_status),
        raw_status=raw_status,
        error_code=error_code(first("ErrorCode")),
        account_sid=first("AccountSid"),
        to=first("To"),
        form_json=json.dumps(fields, sort_keys=True),
    )


def _pairs(form: Mapping[str, str] | Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    return cast("Mapping[str, str]", form).items() if isinstance(form, Mapping) else form


def callback_url(public_base_url: str, attempt_id: str, *, allow_loopback: bool = False) -> str | None:
    """The ``StatusCallback`` of one attempt, or ``None`` where Twilio would refuse it (error 21609).

    Twilio wants a public http(s) host without underscores. ``allow_loopback`` is for a Twilio that runs on
    this machine: it takes any host. The attempt's id comes back in the query of every callback, signed, so
    that a callback names its attempt even where the answer to the POST was lost. It is the only thing put
    there.
    """
    try:
        base = urlsplit(public_base_url.strip())
        host = (base.hostname or "").rstrip(".")
    except ValueError:
        return None
    if base.scheme not in ("http", "https") or not host or base.query or base.fragment:
        return None
    if not allow_loopback and not _is_public(host):
        return None
    place = f"{base.scheme}://{base.netloc}{base.path.rstrip('/')}{STATUS_PATH}"
    return f"{place}?{ATTEMPT_PARAMETER}={quote(attempt_id, safe='')}{_OVERRIDES}"


def _is_public(host: str) -> bool:
    """Whether a machine on the internet could mean the same host by this name or address."""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return bool(_HOSTNAME.fullmatch(host)) and not host.endswith(_PRIVATE_ENDINGS)
