"""Twilio's Email API: one POST an email, and its status by asking. It has no callbacks.

twilio.com/docs/email/api: an email is accepted as an operation, and both can be read for seven days.
"""

import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import cast

import httpx
from pydantic import SecretStr

from duebell.email.liquid import literal
from duebell.email.messages import TAG, EmailRequest, EmailState
from duebell.email.page import page_of
from duebell.email.wire import EmailWire
from duebell.errors import BadAnswer, ConfigurationError, Permanent, RecordNotFound
from duebell.twilio.outcome import Accepted, Answer, SendOutcome, Unknown
from duebell.twilio.statuses import MessageStatus, message_status, rank
from duebell.twilio.transport import DEADLINE, TIMEOUT, require_credentials

EMAIL_API_IDS = "comms_"
"""What each id of Twilio's Email API begins with, and none of SendGrid's."""

_EMAILS = "/v1/Emails"
_OPERATION = re.compile(r"comms_operation_[0-9A-Za-z]{1,40}")
_EMAIL = re.compile(r"comms_email_[0-9A-Za-z]{1,40}")


class TwilioEmail:
    """Twilio's Email API, spoken to with the account's auth token or an API key.

    Safe to share between threads. Raises ConfigurationError for credentials or a URL that cannot work.
    """

    def __init__(
        self,
        http: httpx.Client,
        username: str,
        password: SecretStr,
        comms_url: str,
        *,
        timeout: httpx.Timeout = TIMEOUT,
        deadline: float = DEADLINE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        require_credentials(username, password)
        self._wire = EmailWire(
            http,
            comms_url,
            httpx.BasicAuth(username, password.get_secret_value()),
            provider="Twilio's Email API",
            variable="TWILIO_COMMS_URL",
            mend="check TWILIO_ACCOUNT_SID and its key",
            timeout=timeout,
            deadline=deadline,
            monotonic=monotonic,
        )

    def send(self, request: EmailRequest) -> SendOutcome:
        """POST one email, once, and say what came of it. Raises only what happens before the POST.

        A 503 may be repeated by Twilio's own words (twilio.com/docs/email/api/errors), but not that nothing
        was processed: it is ``Unknown`` like every 5xx, and the tag settles it.
        """
        return self._wire.send(_EMAILS, _body(request), _accepted)

    def find(self, tag: str) -> tuple[EmailState, ...]:
        """The emails that carry this attempt's id. That none is listed proves nothing: how far the list lags
        is not documented. Raises the errors of reading.
        """
        # Looked at again, because a filter that is not understood might as well be ignored.
        return tuple(
            _email_state(one) for one in self._listed("tags", f"{TAG}:{tag};") if _tag_of(one) == tag
        )

    def tagged(self, sid: str) -> EmailState:
        """An email with its tag, by the id of its operation or its own. Raises RecordNotFound, Permanent for
        what is no such id or not one email, and the errors of reading.
        """
        if not _OPERATION.fullmatch(sid):
            return self.fetch(sid)
        emails = self._listed("operationId", sid)
        if not emails:
            raise RecordNotFound("Twilio's Email API lists no email of this operation")
        if len(emails) > 1:
            raise Permanent(
                "Twilio's Email API lists several emails of this operation: name one, comms_email_…"
            )
        return _email_state(emails[0])

    def _listed(self, by: str, value: str) -> list[dict[str, object]]:
        found = self._wire.read("GET", _EMAILS, query={by: value})
        rows = found.get("emails") if isinstance(found, dict) else None
        if not isinstance(rows, list):
            raise BadAnswer("Twilio's Email API listed no emails, not even none")
        return [cast("dict[str, object]", row) for row in cast("list[object]", rows) if isinstance(row, dict)]

    def fetch(self, sid: str) -> EmailState:
        """Where an email stands, by the id of its operation or its own. Raises RecordNotFound, after the
        seven days too, and the errors of reading.
        """
        if _OPERATION.fullmatch(sid):
            found = self._wire.read("GET", f"{_EMAILS}/Operations/{sid}")
            return _operation_state(sid, found if isinstance(found, dict) else {})
        if not is_email_sid(sid):
            raise Permanent("not an id of Twilio's Email API: comms_operation_… or comms_email_…")
        found = self._wire.read("GET", f"{_EMAILS}/{sid}")
        return _email_state(found if isinstance(found, dict) else {})


def is_email_sid(sid: str) -> bool:
    """Whether this has the shape of an id of Twilio's Email API: of an operation, or of an email."""
    return any(shape.fullmatch(sid) for shape in (_OPERATION, _EMAIL))


def _body(request: EmailRequest) -> dict[str, object]:
    if request.send_at is not None or request.batch_id:
        raise ConfigurationError(
            "EMAIL_PROVIDER twilio holds no email back: choose sendgrid, or strict sending"
        )
    sender = {"address": request.from_.address}
    if request.from_.name:
        sender["name"] = request.from_.name
    body: dict[str, object] = {
        "from": sender,
        "to": [{"address": request.to}],
        "content": {
            "subject": literal(request.subject),
            "html": literal(request.html or page_of(request.text, request.subject)),
            "text": literal(request.text),
        },
        "tags": {TAG: request.tag},
    }
    return body | ({"replyTo": {"address": request.reply_to}} if request.reply_to else {})


def _accepted(answer: Answer) -> Accepted | Unknown:
    # The interface's older pages have the id in a header of the same name.
    said = (answer.payload or {}).get("operationId") or answer.headers.get("operation-id")
    if not isinstance(said, str) or not _OPERATION.fullmatch(said):
        return Unknown(f"HTTP {answer.http_status} without an operation")
    return Accepted(said, MessageStatus.ACCEPTED, None, answer.request_id)


def _tag_of(email: Mapping[str, object]) -> object:
    tags = email.get("tags")
    return cast("dict[str, object]", tags).get(TAG) if isinstance(tags, dict) else None


def _email_state(email: Mapping[str, object]) -> EmailState:
    sid, raw_status = email.get("id"), email.get("status")
    if not isinstance(sid, str) or not _EMAIL.fullmatch(sid) or not isinstance(raw_status, str):
        raise BadAnswer("Twilio's Email API told of an email without id or status")
    word, tag = raw_status.lower(), _tag_of(email)
    told_at = _moment(email.get("updatedAt"))
    return EmailState(sid, message_status(word), word, told_at, tag if isinstance(tag, str) else "")


def _operation_state(sid: str, operation: Mapping[str, object]) -> EmailState:
    """Where the one email of an operation stands: by its counts, as ``COMPLETED`` only means "worked on"."""
    stats, said = operation.get("stats"), operation.get("status")
    if not isinstance(stats, dict) or not isinstance(said, str):
        raise BadAnswer("Twilio's Email API told of an operation without status or counts")
    counts = cast("dict[str, object]", stats)
    reached = [word for word, count in counts.items() if word != "total" and isinstance(count, int) and count]
    word = max(reached, key=lambda one: rank(message_status(one)), default=said.lower())
    return EmailState(sid, message_status(word), word, _moment(operation.get("updatedAt")))


def _moment(raw: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(raw) if isinstance(raw, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.utcoffset() is not None else None
