"""The safety net under the worker: what is due is seen to while no receiver is there.

A message that waits for its hours, and above all one that Twilio holds and that has to be decided on before
it goes out, must not depend on a second process. Nothing is done twice: the keys of the runs are the same.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager

from deployments.receiver.net import Net
from deployments.receiver.parts import Patience
from deployments.receiver.prefect_rest import PrefectRest, prefect_place
from duebell.resources import Resources

NET_SECONDS = 15.0
"""How often the worker looks; the receiver does so about every second, and is there as a rule."""

PARTING_SECONDS = 2.0


@contextmanager
def under(resources: Resources) -> Generator[None]:
    """Spread the net while this is entered."""
    patience = Patience(net_seconds=NET_SECONDS, first_look=resources.policy.settle.first_look)
    prefect, stop = PrefectRest(prefect_place(resources.settings)), threading.Event()
    thread = Net(resources.engine, prefect, resources.clock, patience, lambda: resources.policy.tells).start(
        stop
    )
    try:
        yield
    finally:
        stop.set()
        thread.join(PARTING_SECONDS)
        prefect.close()
