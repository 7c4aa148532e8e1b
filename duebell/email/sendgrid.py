"""SendGrid's v3 interface: one POST an email, and batches by which emails that are held can be cancelled.

twilio.com/docs/sendgrid/api-reference/mail-send. What becomes of an email is told by the event webhook alone:
its Email Activity takes six requests a minute, too few to look for what was lost.
"""

import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import cast

import httpx
from pydantic import SecretStr

from duebell.email.messages import TAG, EmailRequest
from duebell.email.page import page_of
from duebell.email.wire import Bearer, EmailWire
from duebell.errors import BadAnswer, ConfigurationError, Permanent
from duebell.twilio.outcome import SENDGRID, Accepted, Answer, SendOutcome, Unknown
from duebell.twilio.statuses import MessageStatus
from duebell.twilio.transport import DEADLINE, TIMEOUT

_SCHEDULED = "/v3/user/scheduled_sends"
_MESSAGE_ID = re.compile(r"[A-Za-z0-9._=-]{1,100}")
_BATCH_ID = re.compile(r"[A-Za-z0-9._=-]{1,200}")
# Tracking would lead the link to the invoice over another host, as phishing does, and tell the provider who
# read about which debt; the unsubscribe link of a mailing list has no place under an invoice.
_NO_TRACKING = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
}


class SendGrid:
    """SendGrid, spoken to with an API key.

    Safe to share between threads. Raises ConfigurationError for a key or a URL that cannot work.
    """

    def __init__(
        self,
        http: httpx.Client,
        api_key: SecretStr,
        api_url: str,
        *,
        timeout: httpx.Timeout = TIMEOUT,
        deadline: float = DEADLINE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not api_key.get_secret_value().strip():
            raise ConfigurationError("set SENDGRID_API_KEY: app.sendgrid.com, Settings, API Keys")
        self._wire = EmailWire(
            http,
            api_url,
            Bearer(api_key.get_secret_value()),
            provider="SendGrid",
            variable="SENDGRID_API_URL",
            mend="check SENDGRID_API_KEY and that it may send mail",
            refuses_as=SENDGRID,
            timeout=timeout,
            deadline=deadline,
            monotonic=monotonic,
        )

    def send(self, request: EmailRequest) -> SendOutcome:
        """POST one email, once, and say what came of it. Raises only what happens before the POST."""
        taken = MessageStatus.SCHEDULED if request.send_at else MessageStatus.ACCEPTED
        return self._wire.send("/v3/mail/send", _body(request), partial(_accepted, taken))

    def create_batch(self) -> str:
        """A new batch's id, to be stored before an email is sent under it. Raises the errors of reading."""
        made = self._wire.read("POST", "/v3/mail/batch", body={})
        batch_id = made.get("batch_id") if isinstance(made, dict) else None
        if not isinstance(batch_id, str) or not _BATCH_ID.fullmatch(batch_id):
            raise BadAnswer("SendGrid made a batch without an id")
        return batch_id

    def cancel_batch(self, batch_id: str) -> None:
        """Cancel what is held under a batch. May be repeated; raises the errors of reading.

        Sure only until ten minutes before the time to send at, and for at most ten batches at once
        (twilio.com/docs/sendgrid/api-reference/cancel-scheduled-sends).
        """
        if not _BATCH_ID.fullmatch(batch_id):
            raise Permanent("not a batch's id of SendGrid")
        try:
            self._wire.read("POST", _SCHEDULED, body={"batch_id": batch_id, "status": "cancel"})
        except Permanent:
            # SendGrid refuses to cancel a batch again with the same 400 as all else.
            if not self._is_cancelled(batch_id):
                raise

    def _is_cancelled(self, batch_id: str) -> bool:
        found = self._wire.read("GET", f"{_SCHEDULED}/{batch_id}")
        rows = [cast("dict[str, object]", row) for row in found if isinstance(row, dict)]
        return any(row.get("batch_id") == batch_id and row.get("status") == "cancel" for row in rows)


def _body(request: EmailRequest) -> dict[str, object]:
    person: dict[str, object] = {"to": [{"email": request.to}], "custom_args": {TAG: request.tag}}
    body: dict[str, object] = {
        "personalizations": [person],
        "from": {"email": request.from_.address} | _named(request.from_.name),
        "subject": request.subject,
        "content": [
            {"type": "text/plain", "value": request.text},
            {"type": "text/html", "value": request.html or page_of(request.text, request.subject)},
        ],
        "tracking_settings": _NO_TRACKING,
    }
    optional: Mapping[str, object] = {
        "reply_to": {"email": request.reply_to} if request.reply_to else None,
        "send_at": int(request.send_at.timestamp()) if request.send_at else None,
        "batch_id": request.batch_id or None,
    }
    return body | {name: value for name, value in optional.items() if value is not None}


def _named(name: str) -> dict[str, str]:
    """The sender's name; one with a comma or semicolon is split there unless it is quoted.

    github.com/sendgrid/sendgrid-python/issues/578
    """
    if not name:
        return {}
    return {"name": f'"{name}"' if "," in name or ";" in name else name}


def _accepted(taken: MessageStatus, answer: Answer) -> Accepted | Unknown:
    sid = answer.headers.get("X-Message-Id", "")
    # Only 202 means that it will be sent: 200 answers an email that was merely checked, in sandbox mode.
    if answer.http_status != 202 or not _MESSAGE_ID.fullmatch(sid):
        return Unknown(f"HTTP {answer.http_status} without a message id")
    return Accepted(sid, taken, None, None)
