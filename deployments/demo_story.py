"""The demo's story: an invoice is approved, its customer is told once, and five repeats tell nobody."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import httpx
from rich.console import Console
from rich.panel import Panel
from rich.text import Text
from sqlalchemy import Engine
from sqlmodel import col, func, select

from deployments.installation import Installation
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_types import AcceptedMessage, Delivery, InvoiceSummary
from deployments.terminal import beside_time, complain, note, timed
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.tables import Attempt, Notification, Receipt, XeroEvent
from duebell.settings import Settings
from duebell.states import EventState

PATIENCE = 300.0
T = TypeVar("T")

CUSTOMER = "Aro Street Cafe"
AMOUNT = "1234.50"
REPEATS = 5


class StoryStopped(Exception):
    """Something that the story waits for did not come."""


@dataclass
class Story:
    """The story's parts, and its clock: seconds since the invoice was approved."""

    console: Console
    engine: Engine
    installation: Installation
    sandbox: SandboxControl
    started: float = 0.0

    def say(self, *parts: str | tuple[str, str]) -> None:
        """One line of the story."""
        timed(self.console, time.monotonic() - self.started, Text.assemble(*parts))

    def until(self, happened: Callable[[], T | None], what: str) -> T:
        """The first true answer. Raises ``StoryStopped`` with what was waited for."""
        ends = time.monotonic() + PATIENCE
        while not self.installation.stop_asked.asked.is_set():
            if found := happened():
                return found
            if time.monotonic() > ends:
                raise StoryStopped(f"The story waited {PATIENCE:.0f} s in vain for {what}.")
            self.installation.watch()
            time.sleep(0.05)
        raise StoryStopped("The story was stopped.")


def play(console: Console, installation: Installation, settings: Settings, sandbox: SandboxControl) -> bool:
    """Tell the story as it happens; returns whether it came to its end."""
    engine = open_ledger(settings.database_url.get_secret_value())
    try:
        tell(Story(console, engine, installation, sandbox))
    except StoryStopped as why:
        if not installation.stop_asked.asked.is_set():
            complain(console, f"{why} The logs may tell why: {settings.home / 'logs'}")
        return False
    except httpx.HTTPError as error:
        complain(console, f"The sandbox does not answer any more ({type(error).__name__}).")
        return False
    finally:
        engine.dispose()
    return True


def tell(story: Story) -> None:
    """The whole story. Raises ``StoryStopped``, and what the sandbox's client raises."""
    draft = _write_draft(story)
    story.started, at = time.monotonic(), datetime.now(UTC)
    story.sandbox.approve(draft.invoice_id)
    what = f" ({draft.currency} {draft.total:,.2f}, {CUSTOMER}) is approved in sandbox Xero"
    story.say((draft.number, "bold"), what)
    webhook = story.until(lambda: _answered(story.sandbox, 2), "Xero's webhook to be answered")
    story.say(f"the signed webhook is answered {webhook.status} after {webhook.ms:.0f} ms: the event is kept")
    message = story.until(lambda: _first(story.sandbox.accepted_messages()), "the message to be accepted")
    took = (message.accepted_at - at).total_seconds()
    story.say("Twilio accepted ", (message.sid, "bold"), f" to {message.to}")
    beside_time(story.console, Panel(Text(message.body), expand=False, padding=(0, 1), style="green"))
    _follow_receipts(story, message.sid)
    count = _repeat(story)
    verdict = "nothing more was sent" if count == 1 else f"{count} MESSAGES WERE SENT"
    beside_time(
        story.console,
        Text(f"Event to accepted SMS: {took:.2f} s. After {REPEATS} repeats {verdict}.", "bold"),
    )
    if count != 1:
        raise StoryStopped("Somebody was told twice.")


def _write_draft(story: Story) -> InvoiceSummary:
    """A draft, of which nobody is told; approving it is where the story begins."""
    note(story.console, "an accountant writes a draft invoice; the story begins when it is approved")
    customer = next(one for one in story.sandbox.contacts() if one.name == CUSTOMER)
    draft = story.sandbox.add_invoice(customer.contact_id, AMOUNT, approved=False)
    story.until(lambda: _count(story.engine, handled=True) >= 1, "the draft's own event to be handled")
    return draft


def _follow_receipts(story: Story, sid: str) -> None:
    """Each receipt once, in the order in which they came, until the message is delivered."""
    told: set[str] = set()

    def delivered() -> bool:
        state = _state(story.engine)  # first: a receipt and what it says of the message are one commit
        for status in _receipts(story.engine, sid):
            if status not in told:
                told.add(status)
                story.say("receipt ", (f"{status:<10}", "bold"), sid)
        return state == "delivered"

    story.until(delivered, "the receipt that says delivered")


def _repeat(story: Story) -> int:
    """The same webhook several times more; returns how many messages there are in all, once all is quiet."""
    before = _count(story.engine)
    for _ in range(REPEATS):
        story.sandbox.redeliver()
    last = story.until(lambda: _answered(story.sandbox, 2 + REPEATS), "the repeats to be answered")
    new = _count(story.engine) - before
    story.until(lambda: _count(story.engine, handled=True) == before + new, "the inbox to be empty")
    story.sandbox.settle()
    count = len(story.sandbox.accepted_messages())
    story.say(
        f"same webhook {REPEATS} times more: answered {last.status}, {new or 'no'} new event, ",
        (f"{count} SMS in all", "bold"),
    )
    return count


def _first(messages: tuple[AcceptedMessage, ...]) -> AcceptedMessage | None:
    return messages[0] if messages else None


def _answered(sandbox: SandboxControl, count: int) -> Delivery | None:
    answered = [one for one in sandbox.deliveries() if one.status is not None]
    return answered[-1] if len(answered) >= count else None


def _count(engine: Engine, *, handled: bool = False) -> int:
    """How many events are in the inbox, or how many of them are handled."""
    wanted = select(func.count()).select_from(XeroEvent)
    if handled:
        wanted = wanted.where(XeroEvent.state == EventState.HANDLED.value)
    with reading(engine) as session:
        return session.exec(wanted).one()


def _receipts(engine: Engine, sid: str) -> list[str]:
    with reading(engine) as session:
        wanted = select(Receipt.status).where(Receipt.sid == sid).order_by(col(Receipt.receipt_id))
        return list(session.exec(wanted).all())


def _state(engine: Engine) -> str:
    with reading(engine) as session:
        return session.exec(select(Notification.state).join(Attempt)).first() or ""


def where_to_look(installation: Installation, settings: Settings) -> Panel:
    """Where the Prefect UI is, and what to look at there and elsewhere."""
    look = Text()
    look.append("Prefect's UI  ").append(installation.prefect_api_url.removesuffix("/api"), "bold")
    if installation.login:
        look.append("\nIts login     ").append(installation.login, "bold").append("  (the whole of it)")
    look.append("\n\nRuns, drain …: what was read from Xero and decided.")
    look.append("\nRuns, invoice-issued …: the steps of the message; Artifacts has its table.")
    look.append("\nPress Retry on either: nothing is sent again.")
    look.append("\n\nThe ledger, with who did what and when (from another terminal):\n")
    look.append(f"DUEBELL_ENV_FILE=none DUEBELL_HOME={settings.home} \\\n  .venv/bin/duebell audit", "bold")
    look.append(f"\nLogs: {settings.home / 'logs'}")
    look.append("\n\nCtrl-C stops all of it.")
    return Panel(look, title="Where to look", expand=False)
