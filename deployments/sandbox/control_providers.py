"""The verbs that are not an accountant's: clock, settings, tokens, limits, faults, webhooks and messages."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from deployments.sandbox.books import BookkeepingError
from deployments.sandbox.callbacks import Step
from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control_types import (
    AcceptedMessage,
    CallbackPost,
    Delivery,
    Disorder,
    Event,
    Fault,
    HeldConsent,
    Life,
    Probe,
    SeenRequest,
    Subscription,
)
from deployments.sandbox.credentials import TENANT_ID
from deployments.sandbox.parts import Parts
from deployments.sandbox.xero_auth import CONSENT_SCOPES


@dataclass
class ProviderVerbs:
    """Each verb turns one thing about the providers, or tells what they did."""

    parts: Parts

    def verbs(self) -> dict[str, Callable[..., object]]:
        """The verbs by name."""
        return {
            "settings": self.settings,
            "shift_clock": self.shift_clock,
            "expire_tokens": self.expire_tokens,
            "consent": self.consent,
            "app_scopes": self.app_scopes,
            "spend_calls": self.spend_calls,
            "fail_next": self.fail_next,
            "clear_faults": self.clear_faults,
            "requests": self.requests,
            "events": self.events,
            "deliver": self.deliver,
            "redeliver": self.redeliver,
            "repeat": self.repeat,
            "replay": self.replay,
            "let_out": self.let_out,
            "subscription": self.subscription,
            "enable_webhook": self.enable_webhook,
            "probe": self.probe,
            "deliveries": self.deliveries,
            "settle": self.settle,
            **self._of_twilio(),
        }

    def _of_twilio(self) -> dict[str, Callable[..., object]]:
        return {
            "accepted_messages": self.accepted_messages,
            "callback_posts": self.callback_posts,
            "script_life": self.script_life,
            "opt_out": self.opt_out,
            "consents": self.consents,
            "consent_log": self.consent_log,
            "send_callback": self.send_callback,
        }

    def settings(self, changes: dict[str, Any]) -> SandboxSettings:
        """Change settings by name; returns all of them. An unknown name raises ``ValueError``."""
        unknown = changes.keys() - SandboxSettings.__dataclass_fields__.keys()
        if unknown:
            raise ValueError(f"no setting {min(unknown)}")
        wanted = asdict(self.parts.conditions.settings) | changes
        self.parts.conditions.settings = TypeAdapter(SandboxSettings).validate_python(wanted)
        return self.parts.conditions.settings

    def shift_clock(self, seconds: float) -> datetime:
        """Push the sandbox's clock forward; returns its present."""
        self.parts.conditions.push(timedelta(seconds=seconds))
        return self.parts.conditions.now()

    def expire_tokens(self) -> None:
        """Let every access token be over."""
        self.parts.auth.expire_all()

    def consent(self, scope: str) -> str:
        """A person consents to these scopes; returns the refresh token. Broad scopes are refused."""
        scopes = frozenset(scope.split())
        if not scopes <= CONSENT_SCOPES:
            raise ValueError("invalid_scope")
        return self.parts.auth.consent(scopes)

    def app_scopes(self, scope: str) -> None:
        """Set the scopes that the app's own page grants it."""
        self.parts.auth.app_scopes = frozenset(scope.split())

    def spend_calls(self, calls: int, *, tenant_id: str = TENANT_ID) -> None:
        """Another part of the same app makes so many calls."""
        self.parts.limits.spend(tenant_id, calls, self.parts.conditions.now())

    def fail_next(self, fault: Fault) -> None:
        """Let the next matching requests meet a fault."""
        self.parts.faults.plan(fault)

    def clear_faults(self) -> None:
        """Forget the faults that are still waiting, and let delayed requests go on."""
        self.parts.faults.clear()

    def requests(self) -> list[SeenRequest]:
        """Every request that reached a provider, in order."""
        return self.parts.faults.seen

    def events(self) -> list[Event]:
        """Every event that the books have raised, delivered or not."""
        return self.parts.webhooks.raised

    def deliver(self, events: list[Event]) -> None:
        """Post these events together."""
        self.parts.webhooks.deliver(events)

    def redeliver(self) -> None:
        """Post the last delivery again, with fresh entropy."""
        self._need_last(done=self.parts.webhooks.redeliver())

    def repeat(self) -> None:
        """Post the last delivery's very bytes again."""
        self._need_last(done=self.parts.webhooks.repeat())

    def replay(self) -> int:
        """Post what failed its retries, in order; returns how many deliveries."""
        return self.parts.webhooks.replay()

    def let_out(self, disorder: Disorder) -> int:
        """Post what rang while deliveries were not automatic; returns how many deliveries."""
        return self.parts.webhooks.let_out(disorder)

    def subscription(self) -> Subscription:
        """How the portal shows the webhook."""
        return self.parts.webhooks.subscription()

    async def enable_webhook(self) -> Probe:
        """Enable a webhook that failed, by an intent to receive."""
        return await self.parts.webhooks.enable()

    async def probe(self) -> Probe:
        """Ask for the intent to receive."""
        return await self.parts.webhooks.poster.probe()

    def deliveries(self) -> list[Delivery]:
        """Every POST of a webhook so far."""
        return self.parts.webhooks.poster.deliveries

    def accepted_messages(self) -> list[AcceptedMessage]:
        """Every message that was accepted, oldest first."""
        return [message.told() for message in self.parts.messages.messages.values()]

    def callback_posts(self) -> list[CallbackPost]:
        """Every POST of a status callback so far."""
        return self.parts.callbacks.posts

    def script_life(self, life: Life) -> None:
        """Lay down what becomes of messages to such numbers; the last that matches counts."""
        self.parts.callbacks.lives.append(life)

    def opt_out(self, number: str, *, opted_out: bool = True, sender: str = "") -> None:
        """The number answers STOP (or START), to one sender or to all of them."""
        self.parts.messages.hear(number, sender, opted_out=opted_out)

    def consents(self) -> list[HeldConsent]:
        """What is held of each number and sender."""
        return list(self.parts.messages.consents.values())

    def consent_log(self) -> list[HeldConsent]:
        """Every consent that was taken, in order."""
        return self.parts.messages.consent_log

    async def send_callback(self, sid: str, status: str, error_code: int | None = None) -> None:
        """Post a callback of any status now, without moving the message."""
        message = self.parts.messages.messages.get(sid)
        if message is None:
            raise BookkeepingError(f"no message {sid}")
        await self.parts.callbacks.tell(message, Step(status, error_code))

    async def settle(self, seconds: float) -> bool:
        """Wait until nothing is on its way."""
        return await self.parts.settle(seconds)

    def _need_last(self, *, done: bool) -> None:
        if not done:
            raise BookkeepingError("nothing was delivered yet")
