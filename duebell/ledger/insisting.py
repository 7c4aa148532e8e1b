"""Writing down what has happened outside, however busy the ledger is: it cannot be asked for again."""

from sqlalchemy.exc import OperationalError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random_exponential

INSISTS_FOR = 40
"""Seconds within which it is begun again. After a call of at most 20 s that is mostly within a sender's lease
of 75 s; what is written after it is taken all the same, as evidence is whenever it comes.
"""

until_written = retry(
    retry=retry_if_exception_type(OperationalError),
    wait=wait_random_exponential(max=5),
    stop=stop_after_delay(INSISTS_FOR),
    reraise=True,
)
"""For one transaction that says what came of a call: it is begun again while the database is busy."""
