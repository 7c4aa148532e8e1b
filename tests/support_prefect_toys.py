"""Toy flows for the tests of how flows are run, and a folder that holds them as a checkout would."""

from pathlib import Path

TOYS = '''
import logging
import time
from pathlib import Path

from prefect import flow, get_run_logger, task


@flow
def quick(out: str) -> None:
    with Path(out).open("a") as file:
        file.write("ran\\n")


@flow
def gated(folder: str) -> None:
    """Waits, five minutes at most, for somebody to open the gate."""
    Path(folder, "started").touch()
    for _ in range(6000):
        if Path(folder, "open").exists():
            break
        time.sleep(0.05)
    Path(folder, "finished").touch()


@flow
def leaves() -> None:
    raise SystemExit(7)


@task
def speak() -> None:
    get_run_logger().info("from the task")
    logging.getLogger("duebell.toy").warning("from the package")


@flow
def talks() -> None:
    get_run_logger().info("from the flow")
    speak()
'''


def toys_in(root: Path) -> Path:
    """Write the toy flows to ``<root>/flows/toys.py``; returns ``root``."""
    (root / "flows").mkdir(parents=True)
    (root / "flows" / "toys.py").write_text(TOYS)
    return root
