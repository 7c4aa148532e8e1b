"""Reading a list in the order of the last change while its records change: by seek, not by page number.

Such a list moves while its pages are turned: a record that is edited goes to the end, and those behind it
move up. So page 1 is asked for again from the last change that was read. Only where more records than a page
share their time are real pages turned, forwards to the end of that time and then back to page 1: a record
that moved up across a page's edge meanwhile is met on the way back, one that was edited stands further on.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from duebell.books.portions import LARGEST_PAGE, TOO_MUCH, smaller
from duebell.errors import Permanent
from duebell.xero.records import Records, T, record_id

OVERLAP = timedelta(minutes=10)
"""How far behind the cursor a walk begins.

Xero's lists may lag behind its writes, so a record can appear with a time that was passed already, and
whether the asked second itself is included is not documented.
"""

STEP_BACK = timedelta(seconds=1)
"""Xero's filter counts whole seconds: going on one earlier meets every record of the last one again."""

SURELY_FULL = 100
"""Xero's default page: a page that says nothing of further ones, and is shorter, is the last."""


class ListNotFiltered(Permanent):
    """Xero's answer is not what was asked for: it goes back further, or is in another order.

    Xero silently ignores a filter that it cannot read and answers with the whole history
    (XeroAPI/xero-node#272), which must not be taken for news, nor be walked through.
    """


State = tuple[str, datetime | None]
"""A record's id, and its last change as it was read."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One page to ask for: what changed since a whole second, and which page of that.

    ``back`` while pages are turned back, and ``onward`` is from when the walk goes on then.
    """

    since: datetime
    page: int = 1
    back: bool = False
    onward: datetime | None = None


def first_ask(cursor: datetime) -> Ask:
    """Where a walk begins that is to find what changed since ``cursor``."""
    return Ask((cursor - OVERLAP).replace(microsecond=0))


def next_ask(ask: Ask, newest: datetime | None, *, is_last: bool) -> Ask | None:
    """What to ask for after a page whose last change is ``newest``; ``None`` at the end of the walk."""
    if ask.back:
        return replace(ask, page=ask.page - 1) if ask.page > 1 else _from(ask.onward)
    ahead = newest.replace(microsecond=0) - STEP_BACK if newest else ask.since
    if not is_last and ahead <= ask.since:
        return Ask(ask.since, ask.page + 1)
    onward = None if is_last else ahead
    return Ask(ask.since, ask.page - 1, back=True, onward=onward) if ask.page > 1 else _from(onward)


def _from(since: datetime | None) -> Ask | None:
    return Ask(since) if since else None


def seek(
    read: Callable[[Ask, int], Records[T]], cursor: datetime, size: int = LARGEST_PAGE
) -> Generator[tuple[Records[T], datetime | None]]:
    """Every record that changed since ``cursor``, page by page, each of its states once.

    With each page comes ``None``, or, where the list's end was seen, the server's time up to which the list
    was read: the next cursor. Raises ``ListNotFiltered``, and what ``read`` raises.
    """
    ask: Ask | None = first_ask(cursor)
    seen: set[State] = set()
    before: Sequence[object] = ()
    while ask is not None:
        try:
            records = read(ask, size)
        except TOO_MUCH as problem:
            ask, size = Ask(ask.since), smaller(size, problem)  # the pages are others now
            continue
        newest = _newest_of(records, ask)
        is_last = _is_last(records, ask.page, size)
        states = [(record_id(one.value), one.value.updated_at) for one in records.good]
        if ask.page > 1 and not ask.back and states and states == before:
            raise ListNotFiltered(
                f"page {ask.page} of a list is the same as the one before: it does not turn"
            )
        before = states
        yield _unseen(records, seen), (records.read_at or newest) if is_last else None
        ask = next_ask(ask, newest, is_last=is_last)


def _newest_of(records: Records[T], ask: Ask) -> datetime | None:
    """The last change on the page. Raises ``ListNotFiltered``."""
    times = [one.value.updated_at for one in records.good if one.value.updated_at is not None]
    if any(time < ask.since for time in times):
        raise ListNotFiltered(
            "a list of what changed goes back further than was asked: its filter was ignored"
        )
    if any(later < earlier for earlier, later in pairwise(times)):
        raise ListNotFiltered("a list of what changed is not in the order of the changes")
    return times[-1] if times else None


def _unseen(records: Records[T], seen: set[State]) -> Records[T]:
    good = tuple(one for one in records.good if (record_id(one.value), one.value.updated_at) not in seen)
    seen.update((record_id(one.value), one.value.updated_at) for one in good)
    return replace(records, good=good)


def _is_last(records: Records[T], page: int, size: int) -> bool:
    if records.page_count is not None:
        return page >= records.page_count
    return len(records.good) + len(records.bad) < min(size, SURELY_FULL)
