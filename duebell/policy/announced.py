"""How far a reminder keeps from the message that its invoice was issued."""

from collections.abc import Sequence
from datetime import datetime

from duebell.hours.working_days import Place, next_open_instant
from duebell.model import Invoice
from duebell.policy.ladder import later, stage_due
from duebell.policy.verdict import Circumstances
from duebell.policy.waits import begin_of, day_in, free_from, today_of
from duebell.policy_file.overdue import InvoiceOverduePolicy, StagePolicy

AT_LEAST = 1
"""Days, whatever the policy wants between two reminders: on one day they would say the same."""


def free_of_announcement(
    invoice: Invoice,
    rules: InvoiceOverduePolicy,
    announced_at: Sequence[datetime],
    place: Place,
    about: Circumstances,
) -> datetime:
    """From when on the announcement of an invoice no longer holds its reminder back.

    A stage that goes before the due date may lapse over it: its words were said. A later one is said on its
    last open day, should none follow it that tells the customer.
    """
    free = free_from(announced_at, 1, max(rules.gap_days, AT_LEAST), place, about.now)
    stage = stage_due(invoice, rules, today_of(about))
    if free <= about.now or stage is None or stage.days < 0:
        return free
    following = _stage_heard(invoice, rules, free, place, about)
    if following is not None and following.tells_customer:
        return free
    next_day = free_from(announced_at, 1, AT_LEAST, place, about.now)
    days = [next_day, *_days_between(next_day, free, about)]
    still = [one for one in days if _stage_heard(invoice, rules, one, place, about) == stage]
    return max(still, default=free)


def _stage_heard(
    invoice: Invoice, rules: InvoiceOverduePolicy, moment: datetime, place: Place, about: Circumstances
) -> StagePolicy | None:
    """The stage that is due by the organisation's day when the hours open next after this moment."""
    return stage_due(invoice, rules, day_in(about.timezone, next_open_instant(moment, rules, place)))


def _days_between(first: datetime, end: datetime, about: Circumstances) -> list[datetime]:
    """When each of the organisation's days between these begins."""
    day, last = day_in(about.timezone, first), day_in(about.timezone, end)
    begins = (begin_of(later(day, days), about.timezone) for days in range((last - day).days + 1))
    return [one for one in begins if first < one < end]
