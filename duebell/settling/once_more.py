"""Asking a second time at once: a look before a message goes out has no time to come back later."""

from tenacity import Retrying, retry_if_exception, stop_after_attempt

from duebell.errors import Postponed, RateLimited, Transient


def once_more() -> Retrying:
    """Makes a call again at once where it failed for what may pass by itself; raises the second failure."""
    return Retrying(retry=retry_if_exception(_may_pass_at_once), stop=stop_after_attempt(2), reraise=True)


def _may_pass_at_once(error: BaseException) -> bool:
    return isinstance(error, Transient) and not isinstance(error, Postponed | RateLimited)
