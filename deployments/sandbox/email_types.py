"""What the sandbox tells of emails: frozen records, the same on both ends of its control surface."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

MailKind = Literal[
    "delivered", "opened", "deferred", "sent", "bounced", "blocked", "dropped", "failed", "spam",
    "unsubscribed", "stuck", "mute", "unordered", "repeated",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class AcceptedMail:
    """An email that the sandbox answered, or would have answered, with 202. The tests' only oracle.

    ``subject``, ``text`` and ``html`` are what the recipient sees, after the provider's templating; ``tags``
    are SendGrid's custom arguments too. ``sid`` is the id of the answer: an operation or a message.
    """

    provider: str
    sid: str
    to: str
    from_: str
    from_name: str
    reply_to: str
    subject: str
    text: str
    html: str
    tags: dict[str, str]
    accepted_at: datetime
    status: str
    send_at: datetime | None
    batch_id: str


@dataclass(frozen=True, slots=True)
class MailLife:
    """What becomes of emails whose address matches the glob ``to``.

    Without one, the part of an address before ``@`` and ``+`` decides where it is the name of a kind
    (``bounced+7@example.com``), and every other email is delivered. ``sent``: no server ever answers.
    ``stuck``: nothing happens after the answer. ``mute``, ``unordered`` and ``repeated`` end delivered: with
    no event, with the events last to first in one batch, with every batch twice.
    """

    kind: MailKind
    to: str = "*"


@dataclass(frozen=True, slots=True)
class EventPost:
    """One POST of SendGrid's events: the exact body, its headers, and what came of it."""

    body: str
    signature: str
    timestamp: str
    events: int
    status: int | None
    error: str
    body_length: int
