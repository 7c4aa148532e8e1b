"""Named places at which a process can be made to die, stop or fail, so that tests show what that costs."""

import os
import signal
from itertools import count

VARIABLE = "DUEBELL_FAILPOINT"
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}

_passes = count(1)
"""How often this process has come to its fail point; several of its threads may."""


def fail_point(name: str) -> None:
    """Kill, stop or fail here if ``DUEBELL_FAILPOINT`` is ``<name>=kill``, ``=stop`` or ``=raise``.

    Otherwise nothing happens; with ``@3`` behind it, only at the third pass. SIGKILL, because nothing may be
    tidied up: it stands for a power cut or the kernel's out-of-memory killer. SIGSTOP stands for a machine
    that sleeps: it goes on when it gets SIGCONT, and knows nothing of the time between. ``raise`` stands for
    a mistake in the code, and raises ``RuntimeError``: what was begun is undone, and the process lives on.
    """
    point, _, wanted = os.environ.get(VARIABLE, "").partition("=")
    if point != name:
        return
    what, _, nth = wanted.partition("@")
    if nth and next(_passes) != int(nth):
        return
    if what in SIGNALS:
        os.kill(os.getpid(), SIGNALS[what])
    if what == "raise":
        raise RuntimeError(f"the fail point {name}")
