"""What becomes of an accepted email, and the signed batches in which SendGrid tells of it."""

import asyncio
import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from deployments.sandbox.conditions import Conditions, UnderWay
from deployments.sandbox.credentials import SENDGRID_SIGNING_NUMBER
from deployments.sandbox.email_book import Mail, MailBook
from deployments.sandbox.email_types import EventPost, MailKind, MailLife

EVENT_TRIES = 3
"""SendGrid tries for 24 hours; a stand-in gives up sooner."""

_ARRIVES: dict[MailKind, tuple[str, ...]] = {
    "delivered": ("processed", "delivered"),
    "opened": ("processed", "delivered", "open"),
    "deferred": ("processed", "deferred", "delivered"),
    "sent": ("processed",),
    "bounced": ("processed", "bounce"),
    "blocked": ("processed", "blocked"),
    "dropped": ("dropped",),
    "failed": ("invalid",),
    "spam": ("processed", "delivered", "spamreport"),
    "unsubscribed": ("processed", "delivered", "unsubscribe"),
    "stuck": (),
    "mute": ("processed", "delivered"),
    "unordered": ("processed", "delivered", "open"),
    "repeated": ("processed", "delivered"),
}
# What Twilio's Email API says at each of SendGrid's events, which carries its emails.
_STATUS = {
    "processed": "sent",
    "delivered": "delivered",
    "open": "opened",
    "bounce": "undelivered",
    "blocked": "undelivered",
    "dropped": "failed",
    "invalid": "failed",
}
_MORE: dict[str, dict[str, object]] = {
    "deferred": {"response": "451 4.7.1 try again later", "attempt": "1"},
    "delivered": {"response": "250 2.0.0 OK", "tls": 1},
    "bounce": {"type": "bounce", "reason": "550 5.1.1 no such user", "status": "5.1.1"},
    "blocked": {"event": "bounce", "type": "blocked", "reason": "554 5.7.1 refused", "status": "5.7.1"},
    "dropped": {"reason": "Bounced Address"},
    "invalid": {"event": "dropped", "reason": "Invalid"},
}


def signed(timestamp: str, body: bytes) -> str:
    """ECDSA on P-256 with SHA-256 over timestamp and body, in base64."""
    key = ec.derive_private_key(SENDGRID_SIGNING_NUMBER, ec.SECP256R1())
    return base64.b64encode(key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()


def event_of(mail: Mail, word: str, at: int) -> dict[str, object]:
    """An event as SendGrid writes it: our arguments stand beside its own fields."""
    fields: dict[str, object] = {
        "email": mail.to,
        "timestamp": at,
        "smtp-id": f"<{mail.sid}@geopod-ismtpd-1>",
        "event": word,
        "sg_event_id": secrets.token_urlsafe(18),
        "sg_message_id": f"{mail.sid}.recvd-5b6594c664-csn64-1-65A9F4D1-A.0",
    }
    return fields | mail.tags | _MORE.get(word, {})


@dataclass
class MailLives:
    """Leads every email through its life, and records each POST of events.

    An email that waits for its ``send_at`` is not under way.
    """

    conditions: Conditions
    client: httpx.AsyncClient
    book: MailBook
    lives: list[MailLife] = field(default_factory=list[MailLife])
    posts: list[EventPost] = field(default_factory=list[EventPost])
    under_way: UnderWay = field(default_factory=UnderWay)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def start(self, mail: Mail) -> None:
        """Begin an email's life in the background."""
        if mail.send_at is None:
            self.under_way.enter()
        task = asyncio.get_running_loop().create_task(self._live(mail))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """End every life where it is."""
        for task in self._tasks:
            task.cancel()

    def kind_of(self, mail: Mail) -> MailKind:
        """The life laid down last for such an address, else the one that it names, else the ordinary one."""
        if mail.broken:
            return "failed"
        for life in reversed(self.lives):
            if fnmatchcase(mail.to, life.to):
                return life.kind
        by_name: dict[str, MailKind] = {kind: kind for kind in _ARRIVES}
        return by_name.get(mail.to.partition("@")[0].partition("+")[0], "delivered")

    async def _live(self, mail: Mail) -> None:
        if mail.send_at is not None:
            await self.conditions.until(mail.send_at)
            if self.book.batches.get(mail.batch_id) == "cancel":
                mail.move("canceled", self.conditions.now())
                return
            self.under_way.enter()
        try:
            await self._walk(mail, self.kind_of(mail))
        finally:
            self.under_way.leave()

    async def _walk(self, mail: Mail, kind: MailKind) -> None:
        later: list[dict[str, object]] = []
        for word in _ARRIVES[kind]:
            await asyncio.sleep(self.conditions.settings.callback_step_seconds)
            mail.move(_STATUS.get(word, mail.status), self.conditions.now())
            event = event_of(mail, word, int(self.conditions.now().timestamp()))
            if mail.provider != "sendgrid" or kind == "mute":
                continue
            if kind == "unordered":
                later.insert(0, event)
                continue
            for _ in range(2 if kind == "repeated" else 1):
                await self.post([event])
        if later:
            await self.post(later)

    async def post(self, events: Sequence[dict[str, object]]) -> None:
        """Post one signed batch, again where it was not taken."""
        url = self.conditions.settings.events_url
        if url is None:
            return
        body = json.dumps(list(events), indent=1).encode()
        for tried in range(EVENT_TRIES):
            if tried:
                await asyncio.sleep(self.conditions.settings.callback_step_seconds)
            post = await self._post(url, body, len(events))
            self.posts.append(post)
            if post.status is not None and 200 <= post.status < 300:
                return

    async def _post(self, url: str, body: bytes, count: int) -> EventPost:
        timestamp = str(int(self.conditions.now().timestamp()))
        signature, answer, error = signed(timestamp, body), None, ""
        headers = {
            "Content-Type": "application/json",
            "X-Twilio-Email-Event-Webhook-Signature": signature,
            "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
        }
        try:
            answer = await self.client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            error = type(failure).__name__
        return EventPost(
            body=body.decode(),
            signature=signature,
            timestamp=timestamp,
            events=count,
            status=answer.status_code if answer is not None else None,
            error=error,
            body_length=len(answer.content) if answer is not None else 0,
        )
