"""How far a reminder keeps from the message that its invoice was issued."""

from collections.abc import Sequence
from datetime import datetime

from duebell.ladder import last_day, stage_due
from duebell.model import Invoice
from duebell.policy import Circumstances
from duebell.policy_overdue import InvoiceOverduePolicy
from duebell.waits import begin_of, day_in, free_from, today_of
from duebell.working_days import Place

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
    last day, should no other follow it.
    """
    free = free_from(announced_at, 1, max(rules.gap_days, AT_LEAST), place, about.now)
    stage = stage_due(invoice, rules, today_of(about))
    if free <= about.now or stage is None or stage.days < 0:
        return free
    if stage_due(invoice, rules, day_in(about.timezone, free)):
        return free
    next_day = free_from(announced_at, 1, AT_LEAST, place, about.now)
    return min(free, max(begin_of(last_day(stage, invoice, rules), about.timezone), next_day))
