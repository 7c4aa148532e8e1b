"""What is too much for one answer of Xero's is asked for in smaller portions."""

from collections.abc import Callable

from duebell.xero.records import BadRecord, Records, T, joined
from duebell.xero.transfer import AnswerTooLarge


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
