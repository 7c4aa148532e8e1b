"""What Duebell asks Twilio to send, and what Twilio says of a message and of the account."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from twilio.rest.api.v2010.account import AccountInstance
from twilio.rest.api.v2010.account.message import MessageInstance

from duebell.errors import ConfigurationError
from duebell.twilio.codes import error_code
from duebell.twilio.statuses import MessageStatus, message_status

# "Essential" messages by Twilio's own classes, exempt from its quiet hours
# (twilio.com/docs/api/errors/30610).
MESSAGE_INTENT = "notifications"
MAX_VALIDITY_SECONDS = 36_000


@dataclass(frozen=True, slots=True)
class SmsRequest:
    """One text message. ``to`` is E.164; the sender is either a Messaging Service or ``from_``.

    ``validity_seconds`` (1 to 36,000): how long it may wait in Twilio's queue. ``send_at``: the aware moment
    of a scheduled message. ``smart_encoded``: Twilio may replace look-alike characters by GSM-7 ones, which
    alters the body that it lists later. Raises ConfigurationError or ValueError for what Twilio would refuse
    or, worse, not refuse.
    """

    to: str = field(repr=False)
    body: str = field(repr=False)
    messaging_service_sid: str | None = None
    from_: str | None = field(default=None, repr=False)
    status_callback: str | None = None
    validity_seconds: int | None = None
    send_at: datetime | None = None
    smart_encoded: bool = True

    def __post_init__(self) -> None:
        if bool(self.messaging_service_sid) == bool(self.from_):
            raise ConfigurationError("set TWILIO_MESSAGING_SERVICE_SID or TWILIO_FROM, and only one of them")
        if self.send_at is not None and not self.messaging_service_sid:
            # Twilio then ignores the schedule and sends at once (twilio.com/docs/api/errors/35111).
            raise ConfigurationError("a scheduled message needs TWILIO_MESSAGING_SERVICE_SID")
        if self.send_at is not None and self.send_at.utcoffset() is None:
            raise ValueError("send_at must be aware: it is written to Twilio as UTC")
        if self.validity_seconds is not None and not 1 <= self.validity_seconds <= MAX_VALIDITY_SECONDS:
            raise ValueError("validity_seconds must be 1 to 36,000")

    def fields(self) -> dict[str, Any]:
        """The arguments of the helper's ``create``; what is not asked for is left out."""
        fields: dict[str, Any] = {
            "to": self.to,
            "body": self.body,
            "messaging_service_sid": self.messaging_service_sid,
            "from_": self.from_,
            "status_callback": self.status_callback,
            "validity_period": self.validity_seconds,
            "smart_encoded": self.smart_encoded,
            "message_intent": MESSAGE_INTENT,
        }
        if self.send_at is not None:
            # The helper writes "Z" behind any datetime without converting it.
            fields["send_at"] = self.send_at.astimezone(UTC)
            fields["schedule_type"] = "fixed"
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class MessageState:
    """A message as Twilio has it. Times are aware UTC."""

    sid: str
    status: MessageStatus
    raw_status: str
    error_code: int | None
    direction: str
    messaging_service_sid: str | None
    created_at: datetime | None
    updated_at: datetime | None
    to: str = field(repr=False)
    body: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccountState:
    """Whether the account can send at all; ``raw_status`` is Twilio's word."""

    sid: str
    active: bool
    trial: bool
    raw_status: str


def message_state(message: MessageInstance) -> MessageState:
    """Translate the helper's message; what is missing is empty or ``None``."""
    raw_status = _text(message.status)
    return MessageState(
        sid=_text(message.sid),
        status=message_status(raw_status),
        raw_status=raw_status,
        error_code=error_code(message.error_code),
        direction=_text(message.direction),
        messaging_service_sid=_text(message.messaging_service_sid) or None,
        created_at=message.date_created,
        updated_at=message.date_updated,
        to=_text(message.to),
        body=_text(message.body),
    )


def account_state(account: AccountInstance) -> AccountState:
    """Translate the helper's account."""
    status, kind = _text(account.status), _text(account.type)
    return AccountState(_text(account.sid), status == "active", kind == "Trial", status)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
