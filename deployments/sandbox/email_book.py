"""Emails as both providers keep them, and how Twilio's Email API tells of them."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deployments.sandbox.email_types import AcceptedMail

KEPT = timedelta(days=7)  # twilio.com/docs/email/api/reference/mail-send-resource
_WORDS = ("queued", "sent", "scheduled", "delivered", "opened", "undelivered", "failed", "canceled")
_BASE32 = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass
class Mail:
    """One email to one address. ``sid`` is the id of the answer to its POST, ``email_id`` its own at Twilio.

    ``broken``: its templates could not be rendered.
    """

    provider: str
    sid: str
    email_id: str
    to: str
    sender: str
    sender_name: str
    reply_to: str
    subject: str
    text: str
    html: str
    tags: dict[str, str]
    created: datetime
    updated: datetime
    status: str = "queued"
    send_at: datetime | None = None
    batch_id: str = ""
    broken: bool = False

    def move(self, status: str, now: datetime) -> None:
        """Reach ``status``."""
        self.status, self.updated = status, now

    def wire(self) -> dict[str, object]:
        """The Email resource as Twilio writes it in a list."""
        return {
            "id": self.email_id,
            "from": {"address": self.sender, "name": self.sender_name},
            "to": [{"address": self.to}],
            "status": self.status.upper(),
            "related": [],
            "tags": self.tags,
            "scheduledFor": None,
            "createdAt": _written(self.created),
            "updatedAt": _written(self.updated),
            "deletedAt": None,
        }

    def operation(self) -> dict[str, object]:
        """The Operation that made it: ``COMPLETED`` as soon as the email has left the queue."""
        return {
            "id": self.sid,
            "status": "PROCESSING" if self.status == "queued" else "COMPLETED",
            "stats": {"total": 1, **{word: int(word == self.status) for word in _WORDS}},
            "createdAt": _written(self.created),
            "updatedAt": _written(self.updated),
        }

    def told(self) -> AcceptedMail:
        """The email as the oracle tells it."""
        return AcceptedMail(
            provider=self.provider,
            sid=self.sid,
            to=self.to,
            from_=self.sender,
            from_name=self.sender_name,
            reply_to=self.reply_to,
            subject=self.subject,
            text=self.text,
            html=self.html,
            tags=self.tags,
            accepted_at=self.created,
            status=self.status,
            send_at=self.send_at,
            batch_id=self.batch_id,
        )


@dataclass
class MailBook:
    """Every email of the account, oldest first, and SendGrid's batches with what was asked of them."""

    mails: list[Mail] = field(default_factory=list[Mail])
    batches: dict[str, str] = field(default_factory=dict[str, str])

    def times_of(self, batch_id: str) -> list[datetime]:
        """When the emails of a batch are to be sent."""
        return [mail.send_at for mail in self.mails if mail.send_at is not None and mail.batch_id == batch_id]

    def is_over(self, batch_id: str, now: datetime) -> bool:
        """Whether all that was in a batch has been sent or discarded."""
        times = self.times_of(batch_id)
        return bool(times) and max(times) <= now

    def kept(self, now: datetime) -> Iterator[Mail]:
        """The emails that Twilio's Email API still tells of, newest first."""
        return (
            mail for mail in reversed(self.mails) if mail.provider == "twilio" and now - mail.created < KEPT
        )

    def listed(self, query: Mapping[str, str], now: datetime, visible_until: datetime) -> list[Mail]:
        """The list that a query asks for, without what was accepted after ``visible_until``."""
        wanted = dict(pair.split(":", 1) for pair in query.get("tags", "").split(";") if pair)
        return [
            mail
            for mail in self.kept(now)
            if mail.created <= visible_until
            and wanted.items() <= mail.tags.items()
            and query.get("operationId") in {None, mail.sid}
            and query.get("status") in {None, mail.status.upper()}
        ]


def new_id(kind: str) -> str:
    """A fresh id of Twilio's Email API: ``comms_operation_`` or ``comms_email_`` and 26 characters."""
    return f"comms_{kind}_01" + "".join(secrets.choice(_BASE32) for _ in range(24))


def new_message_id() -> str:
    """A fresh id of SendGrid: 22 characters of base64 for URLs."""
    return secrets.token_urlsafe(16)


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
