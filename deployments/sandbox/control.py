"""The typed client of the sandbox's control surface, for the demo and the tests."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control_accountant import Accountant
from deployments.sandbox.control_addressbook import AddressBook
from deployments.sandbox.control_cashier import Cashier
from deployments.sandbox.control_types import (
    AcceptedMessage,
    CallbackPost,
    Delivery,
    Disorder,
    Event,
    Fault,
    FaultKind,
    HeldConsent,
    Life,
    LifeKind,
    Probe,
    SeenRequest,
    Subscription,
)
from deployments.sandbox.credentials import TENANT_ID
from deployments.sandbox.email_control import MailControl


class SandboxControl(MailControl, Accountant, Cashier, AddressBook):
    """Does in the sandbox what an accountant, a phone network or bad luck would do."""

    def reset(self) -> None:
        """Forget everything that happened, and go back to the settings of the start."""
        self._do("reset")

    def settings(self, **changes: object) -> SandboxSettings:
        """Change settings by name, see ``SandboxSettings``; returns all of them."""
        return self._ask("settings", SandboxSettings, changes=changes)

    def shift_clock(self, seconds: float) -> datetime:
        """Push the sandbox's clock forward by seconds; returns its present in UTC."""
        return self._ask("shift_clock", datetime, seconds=seconds)

    def settle(self, seconds: float = 45.0) -> bool:
        """Wait until no webhook and no message is on its way; ``False`` where that took longer."""
        return self._ask("settle", bool, seconds=seconds)

    def expire_tokens(self) -> None:
        """Let every access token be over."""
        self._do("expire_tokens")

    def consent(self, scope: str) -> str:
        """A person consents to these scopes; returns a refresh token."""
        return self._ask("consent", str, scope=scope)

    def app_scopes(self, scope: str) -> None:
        """Set the scopes that the app's own page grants to client credentials."""
        self._do("app_scopes", scope=scope)

    def spend_calls(self, calls: int, tenant_id: str = TENANT_ID) -> None:
        """Let another part of the same app make so many calls to Xero."""
        self._do("spend_calls", calls=calls, tenant_id=tenant_id)

    def fail_next(
        self,
        kind: FaultKind,
        *,
        method: str = "*",
        path: str = "*",
        times: int = 1,
        skip: int = 0,
        status: int = 502,
        body: str = "",
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        seconds: float = 0.0,
        process: bool = False,
    ) -> None:
        """Let the next ``times`` requests that match meet a fault, see ``Fault`` for the kinds."""
        fault = Fault(
            kind, method, path, times, skip, status, body, content_type, headers or {}, seconds, process
        )
        self._do("fail_next", fault=asdict(fault))

    def clear_faults(self) -> None:
        """Forget the faults that are still waiting, and let delayed requests go on."""
        self._do("clear_faults")

    def requests(self) -> tuple[SeenRequest, ...]:
        """Every request that reached a provider, in order."""
        return self._ask("requests", tuple[SeenRequest, ...])

    def events(self) -> tuple[Event, ...]:
        """Every event that the books have raised, delivered or not."""
        return self._ask("events", tuple[Event, ...])

    def deliver(self, events: Sequence[Event]) -> None:
        """Post these events to the webhook in one delivery."""
        self._do("deliver", events=[asdict(event) for event in events])

    def redeliver(self) -> None:
        """Post the last delivery's events again, with fresh entropy."""
        self._do("redeliver")

    def repeat(self) -> None:
        """Post the last delivery's very bytes again."""
        self._do("repeat")

    def replay(self) -> int:
        """Post in order what failed its retries; returns how many deliveries that is."""
        return self._ask("replay", int)

    def let_out(self, disorder: Disorder | None = None) -> int:
        """Post what rang while ``webhooks_automatic`` was off, in a disorder; returns how many deliveries."""
        return self._ask("let_out", int, disorder=asdict(disorder or Disorder()))

    def subscription(self) -> Subscription:
        """How Xero's portal shows the webhook."""
        return self._ask("subscription", Subscription)

    def enable_webhook(self) -> Probe:
        """Enable a webhook that failed, by an intent to receive; what was held is then replayed in order."""
        return self._ask("enable_webhook", Probe)

    def probe(self) -> Probe:
        """Ask for the intent to receive, with good and with one-character-off signatures."""
        return self._ask("probe", Probe)

    def deliveries(self) -> tuple[Delivery, ...]:
        """Every POST of a webhook so far, with what came of it."""
        return self._ask("deliveries", tuple[Delivery, ...])

    def accepted_messages(self) -> tuple[AcceptedMessage, ...]:
        """Every message that the sandbox accepted, oldest first: the only oracle of what was sent."""
        return self._ask("accepted_messages", tuple[AcceptedMessage, ...])

    def callback_posts(self) -> tuple[CallbackPost, ...]:
        """Every POST of a status callback so far, with what came of it."""
        return self._ask("callback_posts", tuple[CallbackPost, ...])

    def script_life(self, kind: LifeKind, to: str = "*", error_code: int | None = None) -> None:
        """Lay down what becomes of messages to numbers that match the glob ``to``, see ``Life``."""
        self._do("script_life", life=asdict(Life(kind, to, error_code)))

    def opt_out(self, number: str, *, opted_out: bool = True, sender: str = "") -> None:
        """The number answers STOP, or START, to one sender or to all of them."""
        self._do("opt_out", number=number, opted_out=opted_out, sender=sender)

    def consents(self) -> tuple[HeldConsent, ...]:
        """What the account holds of each number and sender: the only oracle of what was mirrored."""
        return self._ask("consents", tuple[HeldConsent, ...])

    def consent_log(self) -> tuple[HeldConsent, ...]:
        """Every consent that was taken from an API call, in order."""
        return self._ask("consent_log", tuple[HeldConsent, ...])

    def send_callback(self, sid: str, status: str, error_code: int | None = None) -> None:
        """Post a callback of any status now, without moving the message."""
        self._do("send_callback", sid=sid, status=status, error_code=error_code)
