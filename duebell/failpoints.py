"""Named places at which a process can be made to die or to stop, so that tests can show what that costs."""

import os
import signal

VARIABLE = "DUEBELL_FAILPOINT"
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def fail_point(name: str) -> None:
    """Kill or stop this process here if ``DUEBELL_FAILPOINT`` is ``<name>=kill`` or ``<name>=stop``.

    Otherwise nothing happens. SIGKILL, because nothing may be tidied up: it stands for a power cut or the
    kernel's out-of-memory killer. SIGSTOP stands for a machine that sleeps: it goes on when it gets SIGCONT,
    and knows nothing of the time between.
    """
    point, _, what = os.environ.get(VARIABLE, "").partition("=")
    if point == name and what in SIGNALS:
        os.kill(os.getpid(), SIGNALS[what])
