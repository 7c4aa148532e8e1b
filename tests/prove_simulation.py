"""Sends many messages over simulated time, and counts what was doubled or lost.

    make prove-simulation
    make prove-simulation ARGS="--messages 100000 --jobs 2"
    make prove-simulation ARGS="--seed 17"        one life again, for example one that failed
    make prove-simulation ARGS="--legs"           an email says what an SMS could not
    make prove-simulation ARGS="--emails --sending hold"    SendGrid holds emails
    make prove-simulation ARGS="--reminders"      of all that a customer owes, in one message
    make prove-simulation ARGS="--wide"           people act, too, and Twilio says what a receipt proves wrong
    make prove-simulation ARGS="--drawn"          each life draws for itself how often anything goes wrong

Each life is a ledger of its own with some hundred messages, several senders and everything that goes wrong,
all drawn by one seed. What was sent is what the played Twilio accepted.
"""

import argparse
import atexit
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack
from functools import cache
from itertools import islice
from pathlib import Path

from tests.support_plots import A_LIFE, plot_of
from tests.support_proofs import Ledgers, commit, ledgers
from tests.support_simulation import Life, Plot
from tests.support_verdict import FINAL_FLOOR, Verdict, judge, unseen


def live(plot: Plot, database: str) -> Verdict:
    """Play one life on an empty ledger, and judge it."""
    logging.getLogger("duebell").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        life = Life(plot, _ledgers_of_this_process(database).fresh(), Path(folder))
        return judge(life, in_time=life.play())


@cache
def _ledgers_of_this_process(database: str) -> Ledgers:
    """Kept until it ends: to make the tables takes as long as to send dozens of messages."""
    until_the_end = ExitStack()
    atexit.register(until_the_end.close)
    folder = Path(until_the_end.enter_context(tempfile.TemporaryDirectory()))
    return until_the_end.enter_context(ledgers(database, folder, f"duebell_life_{os.getpid()}"))


def lives(plots: Iterable[Plot], database: str, jobs: int, until: float) -> Iterator[Verdict]:
    """The verdicts on these lives as they end, ``jobs`` of them at once; none begins after ``until``."""
    os.environ["PYTHONHASHSEED"] = "0"  # inherited: the order of a set is a part of the story, too
    coming = iter(plots)
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running: set[Future[Verdict]] = {pool.submit(live, one, database) for one in islice(coming, jobs)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                yield one.result()
                following = next(coming, None) if time.monotonic() < until else None
                if following is not None:
                    running.add(pool.submit(live, following, database))


def report(total: Verdict, seconds: float) -> str:
    """The figures, in a table's lines."""
    per_million = 1_000_000 / total.owed if total.owed else 0.0
    lines = [
        ("messages owed", f"{total.owed} in {total.lives} lives"),
        ("accepted by Twilio", f"{total.sent} of {total.posts.total()} POSTs"),
        ("doubled", str(total.doubled)),
        ("lost", str(total.lost)),
        (
            "left to a person",
            f"{total.parked} ({total.parked * per_million:.0f} a million), "
            f"{total.parked_though_sent} of them were sent",
        ),
        ("skipped, no longer true", str(total.skipped)),
        ("given up, refused", str(total.given_up)),
        ("ended before it went out", f"{total.late}, {total.stale} of them long before"),
        ("came to an end", f"{total.progress:.2%} (at least {FINAL_FLOOR:.0%})"),
        ("senders killed, stopped", f"{total.deaths}, {total.stops}"),
        ("steps of the table of states", _steps(total)),
        ("POSTs", ", ".join(f"{count} {name}" for name, count in total.posts.most_common())),
        ("rate", f"{total.owed / seconds:.1f} messages a second, {seconds:.0f} s"),
    ]
    return "\n".join(f"{name:<28} {value}" for name, value in lines)


def so_far(total: Verdict) -> str:
    """What counts, in a line: a long proof may be ended before its report."""
    left = f"{total.parked} left to a person ({total.parked_though_sent} of them sent)"
    untrue = f"{total.stale} told of what had ended long before"
    return f"{total.owed} messages, {total.doubled} doubled, {total.lost} lost, {left}, {untrue}"


def _steps(total: Verdict) -> str:
    if not total.steps:
        return "looked at on SQLite alone"
    never = unseen(total.steps)
    every = len(never) + len(total.steps)
    return f"{len(total.steps)} of {every} made, {total.steps.total()} times; never: {', '.join(never)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the lives that were asked for; returns 1 where anything was doubled, lost or wrong."""
    wanted = _options(arguments)
    count = 1 if wanted.seed is not None else -(-wanted.messages // wanted.life)
    first = wanted.seed if wanted.seed is not None else wanted.first
    plots = (
        plot_of(
            seed,
            wanted.life,
            sending=wanted.sending,
            trouble=wanted.trouble,
            legs=wanted.legs,
            reminds=wanted.reminders,
            emails=wanted.emails,
        )
        for seed in range(first, first + count)
    )
    what = f"seeds {first} to {first + count - 1}, {wanted.sending}, {wanted.database}, commit {commit()}"
    print(what, flush=True)  # noqa: T201 - its purpose
    total, began = Verdict(), time.monotonic()
    for verdict in lives(plots, wanted.database, wanted.jobs, began + wanted.minutes * 60):
        total.add(verdict)
        for wrong in verdict.wrongs:
            print(f"WRONG {wrong}", flush=True)  # noqa: T201 - its purpose
        for told in verdict.told_late:
            print(f"had ended long before: {told}", flush=True)  # noqa: T201 - its purpose
        if total.lives % 10 == 0 or verdict.wrongs:
            print(so_far(total), flush=True)  # noqa: T201 - its purpose
    print(report(total, time.monotonic() - began))  # noqa: T201 - its purpose
    return 0 if total.sound else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make prove-simulation", description=__doc__)
    parser.add_argument("--messages", type=int, default=4_000, help="how many in all")
    parser.add_argument("--life", type=int, default=A_LIFE, help="how many in one life")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="play the life of this seed alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--minutes", type=float, default=1e6, help="begin no life after so many")
    parser.add_argument("--sending", choices=["strict", "hold"], default="strict")
    trouble = parser.add_mutually_exclusive_group()
    trouble.add_argument(
        "--wide",
        dest="trouble",
        action="store_const",
        const="wide",
        help="with all that people and Twilio rarely do, too",
    )
    trouble.add_argument(
        "--drawn",
        dest="trouble",
        action="store_const",
        const="drawn",
        help="with trouble that each life draws for itself",
    )
    parser.set_defaults(trouble="usual")
    parser.add_argument("--legs", action="store_true", help="with emails that say what an SMS could not")
    parser.add_argument("--emails", action="store_true", help="by email alone, through SendGrid")
    parser.add_argument("--reminders", action="store_true", help="of a customer's overdue invoices together")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
