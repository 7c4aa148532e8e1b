"""What is too much for one answer of Xero's is asked for in smaller portions."""

import random
from collections.abc import Callable, Collection, Sequence
from typing import Generic

from duebell.errors import BadAnswer, NotServed, Rejected
from duebell.xero.records import BadRecord, Records, T, joined
from duebell.xero.transfer import AnswerTooLarge, AnswerTooSlow

LARGEST_PAGE, SMALLEST_PAGE = 1_000, 10
"""Records a page of a list; ten invoices of a thousand lines each still fit one answer."""

SMALLEST_SLOW_PAGE = 60
"""Where so few take too long, it is not their number."""

TOO_MUCH = (AnswerTooLarge, AnswerTooSlow)
"""What asking for less may mend."""

UNSERVED = (NotServed, Rejected, BadAnswer)
"""How Xero answers where it cannot serve a record of those asked for, or nothing at all."""

NOT_HAD_NOW = (AnswerTooSlow, *UNSERVED)
"""How a reading fails without which something else can go on."""

MOST_UNSERVED = 32
"""By so many, six records of fifty are told apart from the others; where they are more, Xero itself ails."""


def smaller(size: int, problem: AnswerTooLarge | AnswerTooSlow) -> int:
    """The size of page to ask for after this ``problem``, which is raised where the page was small already.

    A slow page shrinks faster: each try costs its whole wait, and no size helps where Xero does not answer.
    """
    if isinstance(problem, AnswerTooSlow):
        less, enough = size // 4, size // 4 >= SMALLEST_SLOW_PAGE
    else:
        less, enough = size // 2, size > SMALLEST_PAGE
    if not enough:
        raise problem
    return less


class Portions(Generic[T]):
    """One reading of records by their ids, ``read`` in one call, and in halves where that cannot be served.

    Of a request that fails Xero does not say for which record; its answer is the same where Xero itself is
    away. So another record tells: ``others`` are the one or two to ask for while it cannot serve these. Where
    it serves none of them, the problem is raised as it came; without ``others`` at once. A reading meets
    ``MOST_UNSERVED`` such answers at most.
    """

    def __init__(
        self,
        read: Callable[[tuple[str, ...]], Records[T]],
        others: Callable[[tuple[str, ...]], Sequence[str]] | None = None,
    ) -> None:
        self._read = read
        self._others = others
        self._has_served = False
        self._unserved = 0

    def of(self, ids: tuple[str, ...]) -> Records[T]:
        """Records by their ids. One that cannot be had by itself is a bad record, and holds up no other."""
        try:
            found = self._read(ids)
        except AnswerTooLarge as problem:
            if len(ids) == 1:
                return Records(bad=(BadRecord(ids[0], str(problem)),))
        except UNSERVED:
            self._unserved += 1
            if self._unserved > MOST_UNSERVED or not self._is_for_these_alone(ids):
                raise
            if len(ids) == 1:
                return self._once_more(ids)
        else:
            self._has_served = True
            return found
        half = len(ids) // 2
        return joined([self.of(ids[:half]), self.of(ids[half:])])

    def _is_for_these_alone(self, ids: tuple[str, ...]) -> bool:
        """Whether Xero serves others: of a single record's failure that is asked anew, for it decides."""
        if self._others is None:
            return False
        if self._has_served and len(ids) > 1:
            return True
        self._has_served = any(self._serves(one) for one in self._others(ids))
        return self._has_served

    def _serves(self, record_id: str) -> bool:
        try:
            self._read((record_id,))
        except UNSERVED:
            return False
        return True

    def _once_more(self, ids: tuple[str, ...]) -> Records[T]:
        try:
            return self._read(ids)
        except UNSERVED as problem:
            return Records(bad=(BadRecord(ids[0], f"Xero does not serve this record: {problem}"),))


def others_of(
    asked: Sequence[str], known: Callable[[Collection[str]], Sequence[str]]
) -> Callable[[tuple[str, ...]], Sequence[str]]:
    """Whom to ask Xero for where it does not serve some: one of what was ``known`` last.

    Where nothing is known, two of those that are asked for, be they among them: of several that fail at once
    it is mostly one that is not served. By chance, for what was known may be such a record by now.
    """

    def others(unserved: tuple[str, ...]) -> Sequence[str]:
        if served := known(unserved):
            return [random.choice(served)]  # noqa: S311 - it chooses a record, it guards nothing
        beside = [one for one in asked if one not in unserved] or (unserved if len(unserved) > 1 else ())
        return random.sample(beside, min(2, len(beside)))

    return others
