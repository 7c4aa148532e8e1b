"""A page of a list that Xero cannot serve is read in smaller ones, down to the record that it is for."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Generic

from duebell.books.portions import MOST_UNSERVED, TOO_MUCH, UNSERVED
from duebell.xero.records import BadRecord, Records, T, joined


def served_page(read: Callable[[int, int], Records[T]], number: int, size: int) -> Records[T]:
    """A page (from 1) of a list, of which ``read`` asks for one of a size.

    A record that Xero does not serve is a bad one of it, without an id. Xero does not say for which of a
    page's records it fails, and its answer is the same where Xero itself is away. So the records beside the
    page are asked for: where Xero serves none of them, the problem is raised as it came, and so it is after
    ``MOST_UNSERVED`` such answers. Where what was asked for is too much, that is raised at once.
    """
    return _Page(read).of(number, size)


class _Page(Generic[T]):
    def __init__(self, read: Callable[[int, int], Records[T]]) -> None:
        self._read = read
        self._unserved = 0
        self._served: Records[T] | None = None
        """What was served last: Xero's time, and how long the list is."""

    def of(self, number: int, size: int) -> Records[T]:
        try:
            return self._noted(number, size)
        except TOO_MUCH:
            raise
        except UNSERVED as problem:
            self._unserved += 1
            if self._unserved > MOST_UNSERVED or not self._is_for_these_alone(number, size):
                raise
            return self._in_smaller_ones(number, size) if size > 1 else self._once_more(number, problem)

    def _noted(self, number: int, size: int) -> Records[T]:
        self._served = self._read(number, size)
        return self._served

    def _is_for_these_alone(self, number: int, size: int) -> bool:
        """Whether Xero serves others: of a single record's failure that is asked anew, for it decides."""
        if self._served is not None and size > 1:
            return True
        # Two behind it, for the first may be such a record itself.
        beside = (number * size + 1, (number - 1) * size, number * size + 2)
        return any(self._serves(place) for place in beside if place)

    def _serves(self, place: int) -> bool:
        """Whether it serves what stands there; behind the list's end that is nothing."""
        try:
            self._noted(place, 1)
        except UNSERVED:
            return False
        return True

    def _in_smaller_ones(self, number: int, size: int) -> Records[T]:
        """Backwards: a record before them that changes meanwhile moves the others up, and is met again."""
        less = _smaller(size)
        parts = [self.of(one, less) for one in self._parts(number, size, less)]
        return self._page_of(size, *reversed(parts))

    def _parts(self, number: int, size: int, less: int) -> Iterator[int]:
        in_one = size // less
        for part in reversed(range((number - 1) * in_one + 1, number * in_one + 1)):
            count = self._served.item_count if self._served else None
            if count is None or (part - 1) * less < count:
                yield part

    def _once_more(self, number: int, problem: Exception) -> Records[T]:
        try:
            return self._noted(number, 1)
        except UNSERVED:
            what = f"Xero does not serve the record at place {number} of a list: {problem}"
            return self._page_of(1, Records(bad=(BadRecord("", what),)))

    def _page_of(self, size: int, *parts: Records[T]) -> Records[T]:
        """These as one page, with what else Xero says of the list."""
        served = self._served or Records[T]()
        whole = joined([*parts, replace(served, good=(), bad=(), missing=())])
        if served.item_count is None:
            return whole
        return replace(whole, item_count=served.item_count, page_count=math.ceil(served.item_count / size))


def _smaller(size: int) -> int:
    """A size of which whole pages make one of this size."""
    smallest_factor = next(one for one in range(2, size + 1) if size % one == 0)
    return size // smallest_factor
