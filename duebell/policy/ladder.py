"""The ladder of an overdue invoice: which of its stages is to be said today.

Only the latest stage whose day has come is said, and only so many days after its day: an invoice that was
not looked at for a month gets one reminder, not the four that it missed.
"""

from datetime import date, timedelta

from duebell.errors import Permanent
from duebell.model import Invoice
from duebell.policy_file.overdue import InvoiceOverduePolicy, Promise, StagePolicy


def stage_due(invoice: Invoice, rules: InvoiceOverduePolicy, today: date) -> StagePolicy | None:
    """The stage that is to be said of an invoice on this day of the organisation's calendar, if any.

    It looks at dates alone: whether anything is owed at all, and whether a promise holds the message back,
    is decided elsewhere.
    """
    due_on = invoice.due_on
    if due_on is None:
        return None
    begun = [stage for stage in rules.stages if day_of(stage, due_on) <= today]
    if not begun:
        return None
    latest = max(begun, key=lambda stage: stage.days)
    return latest if today <= last_day(latest, invoice, rules) else None


def day_of(stage: StagePolicy, due_on: date) -> date:
    """The day on which a stage begins to be said."""
    return later(due_on, stage.days)


def promise_over_on(invoice: Invoice, rules: InvoiceOverduePolicy) -> date | None:
    """The first day on which a promise to pay, with its days of grace, holds no reminder back any more."""
    promised_on = invoice.expected_payment_on
    if promised_on is None or rules.promise is Promise.IGNORE:
        return None
    return later(promised_on, rules.promise_grace_days + 1)


def last_day(stage: StagePolicy, invoice: Invoice, rules: InvoiceOverduePolicy) -> date:
    """The last day on which a stage is said. Days of a promise do not make it late: it was held on them.

    A stage that goes before the due date is over when that has passed: its words would be wrong.
    """
    due_on = invoice.due_on or date.min
    begins = max(day_of(stage, due_on), promise_over_on(invoice, rules) or date.min)
    last = later(begins, rules.late_days if stage.late_days is None else stage.late_days)
    return min(last, due_on) if stage.days < 0 else last


def step_key(stage_name: str, due_on: date) -> str:
    """The step of the dedup key: ``<stage name>@<due date>``.

    It holds neither the stage's days nor its place, so that another ladder says nothing twice, and it holds
    the due date, so that one that was moved is chased again.
    """
    return f"{stage_name}@{due_on.isoformat()}"


def read_step(step: str) -> tuple[str, date]:
    """The stage's name and the due date of a step. Raises ``Permanent`` for what is no step."""
    name, _, due_on = step.partition("@")
    try:
        return name, date.fromisoformat(due_on)
    except ValueError:
        raise Permanent(f"{step!r} is no step of a ladder, such as second@2026-11-20") from None


def later(day: date, days: int) -> date:
    """So many days later, or the calendar's end, which only a slip of the pen comes near."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min
