"""What a played policy comes to, counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from duebell.backtest.playing import Played
from duebell.backtest.said import Message
from duebell.keys import INVOICE_OVERDUE
from duebell.policy.breaker import breaker
from duebell.policy_file.sections import LimitsPolicy

MOST_HEARD = 5
"""How many of those who would have heard most are named."""


@dataclass(frozen=True, slots=True)
class Sort:
    """Messages of one kind and stage to customers or to a team, by one channel."""

    kind: str
    stage: str
    whom: str
    channel: str


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts. ``days`` is every day of the time, also those without a message.

    ``had_paid`` are reminders to people who had paid; ``asked`` the days whose reminders would first have
    been held for a person; ``heard`` is each customer's number of messages by name, the most first.
    """

    sorts: Mapping[Sort, int]
    parts: float
    cost: Decimal
    days: Mapping[date, int]
    heard: tuple[tuple[str, int], ...]
    had_paid: int
    asked: tuple[date, ...]
    silent: Mapping[str, int]

    @property
    def messages(self) -> int:
        """All of them."""
        return sum(self.sorts.values())

    @property
    def busiest(self) -> tuple[date, int]:
        """The day with most messages, the first of several."""
        return max(self.days.items(), key=lambda pair: pair[1])

    @property
    def quietest(self) -> tuple[date, int]:
        """The day with fewest."""
        return min(self.days.items(), key=lambda pair: pair[1])


def tally(played: Played, first: date, last: date, price: Decimal, limits: LimitsPolicy) -> Tally:
    """Count the messages from a day to a day, both counted in; ``price`` is that of one part."""
    messages = played.messages
    days = Counter[date]({first + timedelta(days=n): 0 for n in range((last - first).days + 1)})
    days.update(one.day for one in messages)
    parts = sum(one.parts for one in messages)
    return Tally(
        Counter(_sort(one) for one in messages),
        parts,
        (Decimal(round(parts)) * price).quantize(Decimal("0.01")),
        days,
        _heard(messages),
        sum(one.had_paid for one in messages),
        _asked(messages, sorted(days), limits),
        played.silent,
    )


def _sort(one: Message) -> Sort:
    return Sort(one.kind, one.stage, one.whom if one.whom.startswith("team:") else "customer", one.channel)


def _heard(messages: Sequence[Message]) -> tuple[tuple[str, int], ...]:
    names = {one.whom: one.name for one in messages}
    heard = Counter(one.whom for one in messages if not one.whom.startswith("team:"))
    return tuple((names[whom] or whom, count) for whom, count in heard.most_common())


def _asked(messages: Sequence[Message], days: Sequence[date], limits: LimitsPolicy) -> tuple[date, ...]:
    """By the breaker, once there are as many days before as it looks at."""
    counts = Counter(one.day for one in messages if one.kind == INVOICE_OVERDUE)
    back = limits.breaker_days
    return tuple(
        day
        for place, day in enumerate(days)
        if place >= back and breaker(counts[day], [counts[one] for one in days[place - back : place]], limits)
    )
