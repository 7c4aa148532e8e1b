"""Sends messages to customers in eight zones through a Twilio whose queue is up to nine hours slow.

    make prove-windows
    make prove-windows ARGS="--customers 400 --seed 3"

The deciding and sending code is the real one, over a real ledger; time and Twilio are played. What counts is
when a message arrives on its reader's own clock and calendar.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from duebell.ledger.engine import migrate, open_ledger
from duebell.ledger.invariants import broken
from tests.support_proofs import commit
from tests.support_slow_queue import World, world_over

BEGINS = datetime(2026, 9, 24, 0, 0, tzinfo=UTC)
"""Two days before New Zealand's clocks change, nine before Sydney's."""

SHM = Path("/dev/shm")


def main(arguments: Sequence[str] | None = None) -> int:
    """Play it and print the figures; 1 where one message arrived outside its reader's hours."""
    wanted = _options(arguments)
    print(f"seed {wanted.seed}, commit {commit()}", flush=True)  # noqa: T201 - its purpose
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder:
        engine = open_ledger(f"sqlite:///{folder}/ledger.db")
        migrate(engine)
        world = world_over(engine, Path(folder), BEGINS, wanted.seed)
        world.populate(wanted.customers, wanted.days)
        world.live(wanted.days + 4)
        wrong, holes = list(world.outside()), broken(engine)
        for line in [*wrong[:20], *holes]:
            print(f"WRONG {line}")  # noqa: T201 - its purpose
        print(report(world, len(wrong), time.monotonic() - began))  # noqa: T201 - its purpose
        engine.dispose()
    return 1 if wrong or holes else 0


def report(world: World, outside: int, seconds: float) -> str:
    """The figures, in a table's lines."""
    tries = world.tries()
    again = ", ".join(f"{count} {times} times" for times, count in sorted(tries.items()) if times > 1)
    lines = [
        ("posted", f"{world.twilio.taken} messages about {sum(tries.values())} invoices"),
        ("arrived", str(len(world.twilio.arrived))),
        ("outside the reader's hours", str(outside)),
        ("expired in the queue", str(len(world.twilio.expired))),
        ("decided anew and posted again", again or "none"),
        ("time", f"{seconds:.0f} s"),
    ]
    return "\n".join(f"{name:<30} {value}" for name, value in lines)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make prove-windows", description=__doc__)
    parser.add_argument("--customers", type=int, default=5_500, help="how many, one invoice each")
    parser.add_argument("--days", type=int, default=4, help="over how many days their invoices come")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
