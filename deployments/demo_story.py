"""The demo's story: an invoice is approved, its customer is told once, and five repeats tell nobody."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from rich.console import Console
from rich.panel import Panel
from sqlalchemy import Engine
from sqlmodel import select

from deployments.installation import Installation
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_types import AcceptedMessage, Delivery
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.tables import Attempt, Notification, Receipt, XeroEvent
from duebell.settings import Settings

PATIENCE = 60.0
T = TypeVar("T")

AMOUNT = "1234.50"
REPEATS = 5


@dataclass
class Stopwatch:
    """Prints what happens, with the seconds since the story began."""

    console: Console
    started: float

    def say(self, text: str) -> None:
        """One line of the story."""
        self.console.print(f"[cyan]{time.monotonic() - self.started:6.2f} s[/]  {text}", highlight=False)


class StoryStopped(Exception):
    """Something that the story waits for did not come."""


def play(console: Console, installation: Installation, settings: Settings, sandbox: SandboxControl) -> None:
    """Tell the story as it happens, and say where to look at it. Ends early when somebody asks to stop."""
    engine = open_ledger(settings.database_url.get_secret_value())
    try:
        _tell(Stopwatch(console, time.monotonic()), engine, installation, sandbox)
    except StoryStopped as why:
        console.print(f"[red]{why}[/]")
    finally:
        engine.dispose()
    _say_where_to_look(console, installation, settings)


def _tell(watch: Stopwatch, engine: Engine, installation: Installation, sandbox: SandboxControl) -> None:
    cafe = next(one for one in sandbox.contacts() if one.name == "Aro Street Cafe")
    draft = sandbox.add_invoice(cafe.contact_id, AMOUNT, approved=False)
    wait = Waiter(installation)
    wait.until(lambda: _handled(engine) >= 1, "the draft's own event to be handled")
    watch.started = time.monotonic()
    sandbox.approve(draft.invoice_id)
    watch.say(f"[bold]{draft.number}[/] for {cafe.name} is approved in (sandbox) Xero")
    delivered = wait.until(lambda: _delivered(sandbox, 2), "Xero's webhook to be answered")
    watch.say(f"Xero's signed webhook is answered {delivered.status} after {delivered.ms:.0f} ms, and kept")
    message = wait.until(lambda: _first(sandbox.accepted_messages()), "the message to be accepted")
    at = (message.accepted_at - datetime.now(UTC)).total_seconds()
    watch.say(f"Twilio (sandbox) accepted [bold]{message.sid}[/] {abs(at):.1f} s ago, to {message.to}:")
    watch.console.print(Panel(message.body, expand=False, padding=(0, 2)), style="green")
    _follow_receipts(watch, engine, wait)
    for _ in range(REPEATS):
        sandbox.redeliver()
    wait.until(lambda: _delivered(sandbox, 2 + REPEATS), "the repeats to be answered")
    sandbox.settle()
    count = len(sandbox.accepted_messages())
    watch.say(f"the same event came {REPEATS} times more: messages sent in all: [bold]{count}[/]")


def _follow_receipts(watch: Stopwatch, engine: Engine, wait: "Waiter") -> None:
    seen: set[int] = set()

    def delivered() -> bool:
        for receipt in _receipts(engine):
            if receipt.receipt_id not in seen:
                seen.add(receipt.receipt_id or 0)
                watch.say(f"receipt: [bold]{receipt.status}[/] for {receipt.sid}")
        return _state(engine) == "delivered"

    wait.until(delivered, "the receipt that says delivered")


class Waiter:
    """Waits for what the story needs next, unless somebody asks to stop."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def until(self, happened: Callable[[], T | None], what: str) -> T:
        """The first true answer. Raises ``StoryStopped`` with what was waited for."""
        ends = time.monotonic() + PATIENCE
        while not self._installation.stopping.is_set():
            if found := happened():
                return found
            if time.monotonic() > ends:
                raise StoryStopped(
                    f"The story waited {PATIENCE:.0f} s in vain for {what}; the logs may tell why."
                )
            time.sleep(0.05)
        raise StoryStopped("The story was stopped.")


def _first(messages: tuple[AcceptedMessage, ...]) -> AcceptedMessage | None:
    return messages[0] if messages else None


def _delivered(sandbox: SandboxControl, count: int) -> Delivery | None:
    answered = [one for one in sandbox.deliveries() if one.status is not None]
    return answered[-1] if len(answered) >= count else None


def _handled(engine: Engine) -> int:
    with reading(engine) as session:
        return len(session.exec(select(XeroEvent.event_id).where(XeroEvent.state == "handled")).all())


def _receipts(engine: Engine) -> list[Receipt]:
    with reading(engine) as session:
        return list(session.exec(select(Receipt).order_by("receipt_id")).all())


def _state(engine: Engine) -> str:
    with reading(engine) as session:
        return session.exec(select(Notification.state).join(Attempt)).first() or ""


def _say_where_to_look(console: Console, installation: Installation, settings: Settings) -> None:
    ui = installation.prefect_api_url.removesuffix("/api")
    login = f"\nIt asks for a login: [bold]{installation.login}[/]" if installation.login else ""
    console.print(
        Panel(
            f"Prefect's UI: [bold]{ui}[/]{login}\n\n"
            "Runs → [bold]drain …[/]: what was read from Xero and decided.\n"
            "Runs → [bold]invoice-issued …[/]: the steps of the message, its table under Artifacts. Press "
            "Retry: nothing is sent twice.\n"
            f"The ledger, with everything that happened: [bold]{settings.home / 'duebell.db'}[/]\n\n"
            "Ctrl-C stops all of it.",
            title="Where to look",
            expand=False,
        )
    )
