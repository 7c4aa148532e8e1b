"""What becomes of an accepted message, and the signed status callbacks that tell of it."""

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from urllib.parse import parse_qs, urldefrag

import httpx

from deployments.sandbox.conditions import Conditions, UnderWay
from deployments.sandbox.control_types import CallbackPost, Life
from deployments.sandbox.credentials import TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN
from deployments.sandbox.twilio_messages import API_VERSION, Blocks, Message

_DEFAULT_CODES = {"undelivered": 30003, "failed": 30001}


def twilio_signature(token: str, url: str, fields: Mapping[str, str]) -> str:
    """Base64 of HMAC-SHA1 over URL and sorted fields (twilio.com/docs/usage/webhooks/webhooks-security)."""
    text = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


@dataclass(frozen=True, slots=True)
class Step:
    """A status that a message reaches, with the error code that comes with it."""

    status: str
    error_code: int | None = None


def steps_of(life: Life, *, service: bool, blocked: bool) -> tuple[Step, ...]:
    """The statuses after the first one, in the order in which the message reaches them."""
    if blocked:
        return (Step("failed", 21610),)
    if life.kind == "stuck":
        return ()
    if life.kind == "failed":
        return (Step("failed", life.error_code or _DEFAULT_CODES["failed"]),)
    path = [Step(status) for status in ("queued", "sending", "sent")[0 if service else 1 :]]
    if life.kind == "undelivered":
        path.append(Step("undelivered", life.error_code or _DEFAULT_CODES["undelivered"]))
    elif life.kind != "sent":
        path.append(Step("delivered"))
    return tuple(path)


EXPIRED = Step("failed", 30036)
"""What becomes of a message that is still queued when its validity ends (.../docs/api/errors/30036)."""


@dataclass(frozen=True, slots=True)
class Override:
    """How often and why a callback is tried again, from the URL's fragment; by default once, if unreachable.

    twilio.com/docs/usage/webhooks/webhooks-connection-overrides
    """

    retries: int = 1
    policy: frozenset[str] = frozenset({"ct"})
    read_seconds: float = 15.0

    def again(self, post: CallbackPost) -> bool:
        """Whether this outcome is one to try again after."""
        if post.status is None:
            failure = "ct" if post.error in {"ConnectError", "ConnectTimeout"} else "rt"
        elif post.status >= 400:
            failure = f"{post.status // 100}xx"
        else:
            return False
        return bool(self.policy & {failure, "all"})


def override_of(fragment: str) -> Override:
    """Read a fragment such as ``rc=5&rp=all&rt=4000``; what it does not say stays as it is by default."""
    said = {name: values[-1] for name, values in parse_qs(fragment).items()}
    return Override(
        retries=min(5, int(said.get("rc", "1"))),
        policy=frozenset(said.get("rp", "ct").split(",")),
        read_seconds=min(15_000, int(said.get("rt", "15000"))) / 1000,
    )


@dataclass
class Callbacks:
    """Leads every message through its life and records each callback's outcome.

    A message that waits for its ``SendAt``, or in a slow queue, is not under way.
    """

    conditions: Conditions
    client: httpx.AsyncClient
    posts: list[CallbackPost] = field(default_factory=list[CallbackPost])
    lives: list[Life] = field(default_factory=list[Life])
    under_way: UnderWay = field(default_factory=UnderWay)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def start(self, message: Message, blocks: Blocks, *, blocked: bool) -> None:
        """Begin a message's life in the background; who opts out before its time is found at its time."""
        if message.send_at is None:
            self.under_way.enter()
        task = asyncio.get_running_loop().create_task(self._live(message, blocks, blocked=blocked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """End every life where it is."""
        for task in self._tasks:
            task.cancel()

    def life_of(self, to: str) -> Life:
        """The life laid down last for such a number, else the ordinary one."""
        return next((life for life in reversed(self.lives) if fnmatchcase(to, life.to)), Life("delivered"))

    async def _live(self, message: Message, blocks: Blocks, *, blocked: bool) -> None:
        if message.send_at is not None:
            await self.conditions.until(message.send_at)
            if message.status != "scheduled":
                return
            blocked = blocked or blocks(message.to, message.service or message.sender or "")
            self.under_way.enter()
        try:
            await self._walk(message, self.life_of(message.to), blocked=blocked)
        finally:
            self.under_way.leave()

    async def _walk(self, message: Message, life: Life, *, blocked: bool) -> None:
        later: list[Step] = []
        for step in steps_of(life, service=message.service is not None, blocked=blocked):
            await asyncio.sleep(self.conditions.settings.callback_step_seconds)
            if step.status == "sending" and not await self._leaves_the_queue(message):
                step = EXPIRED
            message.move(step.status, self.conditions.now(), step.error_code)
            if life.kind == "unordered":
                later.insert(0, step)
            elif life.kind != "mute":
                await self.tell(message, step, copies=2 if life.kind == "repeated" else 1)
            if step is EXPIRED:
                break
        for step in later:
            await self.tell(message, step)

    async def _leaves_the_queue(self, message: Message) -> bool:
        """Wait as long as the queue takes; ``False`` where the message expired in it."""
        begun = message.send_at or message.created
        leaves = begun + timedelta(seconds=self.conditions.settings.queue_seconds)
        moment = min(leaves, message.expires)
        if moment > self.conditions.now():
            self.under_way.leave()  # it may wait for hours
            try:
                await self.conditions.until(moment)
            finally:
                self.under_way.enter()
        return leaves <= message.expires

    async def tell(self, message: Message, step: Step, copies: int = 1) -> None:
        """Post the callback of one status, tried again as the URL's fragment says."""
        if not message.status_callback:
            return
        url, fragment = urldefrag(message.status_callback)
        override = override_of(fragment)
        token = secrets.token_hex(16)
        for _ in range(copies):
            for _ in range(1 + override.retries):
                post = await self._post(message, step, url, token, override.read_seconds)
                self.posts.append(post)
                if not override.again(post):
                    break

    async def _post(
        self, message: Message, step: Step, url: str, token: str, read_seconds: float
    ) -> CallbackPost:
        fields = callback_fields(message, step, self.conditions.now().strftime("%y%m%d%H%M"))
        fields |= self.conditions.settings.extra_callback_fields
        headers = {
            "X-Twilio-Signature": twilio_signature(TWILIO_AUTH_TOKEN, url, fields),
            "I-Twilio-Idempotency-Token": token,
        }
        began, answer, error = time.monotonic(), None, ""
        try:
            timeout = httpx.Timeout(5.0, read=read_seconds)
            answer = await self.client.post(url, data=fields, headers=headers, timeout=timeout)
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            error = type(failure).__name__
        return CallbackPost(
            sid=message.sid,
            message_status=step.status,
            url=url,
            status=answer.status_code if answer is not None else None,
            error=error,
            body_length=len(answer.content) if answer is not None else 0,
            ms=(time.monotonic() - began) * 1000,
        )


def callback_fields(message: Message, step: Step, done: str) -> dict[str, str]:
    """The form of a callback; ``done`` is the carrier's own time, which carries no zone."""
    fields = {
        "AccountSid": TWILIO_ACCOUNT_SID,
        "ApiVersion": API_VERSION,
        "MessageSid": message.sid,
        "MessageStatus": step.status,
        "SmsSid": message.sid,
        "SmsStatus": step.status,
        "To": message.to,
    }
    if message.sender is not None:
        fields["From"] = message.sender
    if message.service is not None:
        fields["MessagingServiceSid"] = message.service
    if step.error_code is not None:
        fields["ErrorCode"] = str(step.error_code)
    if step.status in {"delivered", "undelivered"}:
        fields["RawDlrDoneDate"] = done
    return fields
