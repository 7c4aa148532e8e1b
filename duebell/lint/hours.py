"""Hours and days: stages that a closed day swallows, and hours at which nobody expects to be written to."""

from collections.abc import Iterator
from datetime import time, timedelta

from duebell.lint.findings import Remark, hint
from duebell.policy_file.overdue import InvoiceOverduePolicy
from duebell.policy_file.policy import Policy
from duebell.policy_file.sections import WindowPolicy
from duebell.policy_file.shapes import Weekday

EARLIEST, LATEST = time(8), time(21)
"""US telephone solicitation hours, on the recipient's clock (47 CFR 64.1200(c)(1)); others' are alike."""

HOUR = timedelta(hours=1)


def of_hours(policy: Policy) -> Iterator[Remark]:
    """What is worth knowing about the hours and days of everything that is on."""
    kinds: dict[str, WindowPolicy] = {
        "invoice_issued": policy.invoice_issued,
        "payment_received": policy.payment_received,
        "invoice_overdue": policy.invoice_overdue,
    }
    for name, window in kinds.items():
        if getattr(policy, name).enabled:
            yield from _unusual(name, window)
    if policy.invoice_overdue.enabled:
        yield from _missed(policy.invoice_overdue)


def _unusual(name: str, window: WindowPolicy) -> Iterator[Remark]:
    usual = f"people expect to be written to from {EARLIEST:%H:%M} to {LATEST:%H:%M}, which some laws demand"
    if window.opens >= window.closes:
        yield hint((name, "opens"), f"lets messages go out at night: {usual}")
        return
    if window.opens < EARLIEST:
        yield hint((name, "opens"), f"is early: {usual}")
    if window.closes > LATEST:
        yield hint((name, "closes"), f"is late: {usual}")


def _missed(overdue: InvoiceOverduePolicy) -> Iterator[Remark]:
    """Reminders that the clock or the calendar leaves no time for."""
    opens, closes = (timedelta(hours=one.hour, minutes=one.minute) for one in (overdue.opens, overdue.closes))
    if timedelta() < closes - opens < HOUR:
        words = "comes less than an hour after opens, but reminders are looked for once an hour"
        yield hint(("invoice_overdue", "closes"), f"{words}: some days may have none. Leave an hour")
    closed = longest_closed(overdue.days)
    for number, stage in enumerate(overdue.stages):
        late = overdue.late_days if stage.late_days is None else stage.late_days
        place = ("invoice_overdue", "stage", number)
        if late < closed:
            words = f"is left out where its day falls on a closed one: {closed} days in a row are closed"
            yield hint(place, f"{words}. Write late_days = {closed} or more")
        elif 0 < -stage.days < closed:
            words = "may find no open day before the due date"
            yield hint((*place, "days"), f"{words}: {closed} in a row are closed. Write {-closed} or less")


def longest_closed(days: tuple[Weekday, ...]) -> int:
    """How many days in a row are closed at most, from one week into the next."""
    signs = "".join("o" if day in days else "x" for day in Weekday) * 2
    return max((len(run) for run in signs.split("o")), default=0)
