"""How much may be sent: the ceiling of an hour, and the breaker that asks a person about an unusual day."""

from collections.abc import Sequence

from duebell.policy_file.sections import LimitsPolicy


def breaker(planned: int, earlier: Sequence[int], limits: LimitsPolicy) -> bool:
    """Whether a day's messages are held for a person, because they are far more than on any day before.

    ``planned``: all messages of the day, sent or about to be. ``earlier``: how many went out on each of the
    days before, of which the last ``limits.breaker_days`` count; none of them means none. A small number is
    never held, however few there were before.
    """
    busiest = max(earlier[-limits.breaker_days :], default=0)
    return planned > limits.breaker_from and planned > limits.breaker * busiest


def room(sent_this_hour: int, limits: LimitsPolicy) -> int:
    """How many more messages may go out in an hour in which so many went; the others wait for the next."""
    return max(0, limits.messages_an_hour - sent_this_hour)
