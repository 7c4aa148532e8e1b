"""Which reminders are told in one message: all of one customer's that say the same kind of thing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from duebell.model import Invoice
from duebell.policy_file.overdue import StagePolicy


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reminder that may go out now. ``customer`` is whom it tells: the contact's id, merges resolved, with
    the hash of a further person; ``today`` is the day of the organisation's calendar; ``said_as`` is all by
    which the rules shape it.
    """

    customer: str
    invoice: Invoice
    stage: StagePolicy
    today: date
    said_as: tuple[object, ...] = ()

    @property
    def is_overdue(self) -> bool:
        """Whether its due date has passed, whatever its stage: that of the due date is also said later."""
        return self.invoice.due_on is not None and self.invoice.due_on < self.today


@dataclass(frozen=True, slots=True)
class ReminderGroup:
    """What one message tells one customer, in one currency, the invoice that is due longest first.

    ``stage`` is the furthest of its stages: the message takes its words from that.
    """

    customer: str
    currency: str
    stage: StagePolicy
    members: tuple[Candidate, ...]


def groups_of(candidates: Iterable[Candidate], *, together: bool) -> tuple[ReminderGroup, ...]:
    """The messages that these reminders make, each reminder in exactly one; always in the same order.

    ``together`` is the policy's ``group``: without it each reminder is a message. What is not due yet is
    never told among what is overdue, and what the rules give other words, ways or senders is told apart.
    """
    ordered = sorted(candidates, key=_in_order)
    marked: dict[tuple[object, ...], list[Candidate]] = {}
    for place, one in enumerate(ordered):
        marked.setdefault(_mark(one) if together else (place,), []).append(one)
    return tuple(_group(members) for members in marked.values())


def _in_order(one: Candidate) -> tuple[str, str, str, str, str]:
    due_on = one.invoice.due_on
    due = due_on.isoformat() if due_on else ""
    return one.customer, one.invoice.currency, due, one.invoice.number, one.invoice.invoice_id


def _mark(one: Candidate) -> tuple[object, ...]:
    """What two reminders have in common that are told together."""
    return one.customer, one.invoice.currency, one.is_overdue, one.said_as


def _group(members: list[Candidate]) -> ReminderGroup:
    furthest = max((one.stage for one in members), key=lambda stage: stage.days)
    return ReminderGroup(members[0].customer, members[0].invoice.currency, furthest, tuple(members))
