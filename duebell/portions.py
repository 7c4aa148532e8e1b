"""What is too much for one answer of Xero's is asked for in smaller portions."""

from collections.abc import Callable

from duebell.xero.records import BadRecord, Records, T, joined
from duebell.xero.transfer import AnswerTooLarge, AnswerTooSlow

LARGEST_PAGE, SMALLEST_PAGE = 1_000, 10
"""Records a page of a list; ten invoices of a thousand lines each still fit one answer."""

SMALLEST_SLOW_PAGE = 60
"""Where so few take too long, it is not their number."""

TOO_MUCH = (AnswerTooLarge, AnswerTooSlow)
"""What asking for less may mend."""


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


def in_halves(ids: tuple[str, ...], read: Callable[[tuple[str, ...]], Records[T]]) -> Records[T]:
    """Records by their ids in one call, or half of them in each of two where the answer is too large.

    One that is too large by itself is a bad record, and holds up no other.
    """
    try:
        return read(ids)
    except AnswerTooLarge as problem:
        if len(ids) == 1:
            return Records(bad=(BadRecord(ids[0], str(problem)),))
    half = len(ids) // 2
    return joined([in_halves(ids[:half], read), in_halves(ids[half:], read)])
