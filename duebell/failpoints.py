"""Named places at which a process can be made to die, so that tests can show what a crash there costs."""

import os
import signal

VARIABLE = "DUEBELL_FAILPOINT"


def fail_point(name: str) -> None:
    """Kill this process here if ``DUEBELL_FAILPOINT`` is ``<name>=kill``; otherwise nothing happens.

    SIGKILL, because nothing may be tidied up: it stands for a power cut or the kernel's out-of-memory killer.
    """
    if os.environ.get(VARIABLE) == f"{name}=kill":
        os.kill(os.getpid(), signal.SIGKILL)
