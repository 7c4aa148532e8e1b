"""The crash proof in short, and that it knows every place at which a process can be made to die."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from deployments.children import ROOT
from deployments.sandbox.control_types import AcceptedMessage
from duebell import failpoints
from duebell.keys import INVOICE_ISSUED, PAYMENT_RECEIVED
from duebell.ledger.tables import Attempt
from duebell.states import NotificationState
from tests import support_crash
from tests.prove_crash_worker import WORKER_POINTS
from tests.support_crash import SENDING_POINTS
from tests.support_stream import Came, Sale, Turn, late

S = NotificationState

ELSEWHERE = {
    "receiver-before-commit": "tests/test_receiver_crash.py",
    "receiver-after-commit": "tests/test_receiver_crash.py",
    "tokens-answered": "tests/test_faults_tokens.py",
    "before-the-copy-commits": "tests/test_moving_house_cut_off.py",
    "before-the-ledger-is-marked": "tests/test_moving_house_cut_off.py",
    "before-the-copy-is-in-force": "tests/test_moving_house_cut_off.py",
    "before-batch": "tests/test_holding_emails.py",
    "before-discarding": "tests/test_holding_emails.py",
    "after-discarding": "tests/test_holding_emails.py",
}
"""The fail points that no sender of SMS passes, and the tests that kill there."""


def _named_in(path: Path) -> Iterator[str]:
    """The fail points that a module has."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and "fail_point" in {
            getattr(node.func, "id", ""),
            getattr(node.func, "attr", ""),
        }:
            yield ast.literal_eval(node.args[0])


def test_a_sender_dies_at_every_fail_point_that_it_passes() -> None:
    files = [
        path for top in ("duebell", "deployments", "tasks", "flows") for path in (ROOT / top).rglob("*.py")
    ]
    named = [point for path in files for point in _named_in(path)]
    assert sorted(named) == sorted([*SENDING_POINTS, *ELSEWHERE])
    assert set(WORKER_POINTS) < set(SENDING_POINTS)
    assert [point for point, test in ELSEWHERE.items() if point not in (ROOT / test).read_text()] == []


def test_a_fail_point_raises_at_the_pass_that_was_asked_for_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(failpoints, "_passes", count(1))
    monkeypatch.setenv(failpoints.VARIABLE, "here=raise@2")
    failpoints.fail_point("here")
    failpoints.fail_point("there")
    with pytest.raises(RuntimeError, match="the fail point here"):
        failpoints.fail_point("here")
    failpoints.fail_point("here")


def test_senders_that_die_around_a_post_tell_nobody_twice_and_lose_nobody() -> None:
    command = [sys.executable, "-m", "tests.prove_crash", "--database", "sqlite", "--only", "short"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kill at 2 points" in done.stdout
    assert "stop at 1 points" in done.stdout
    assert "raise at 2 points" in done.stdout


def sale(turn: Turn) -> Sale:
    """An invoice of which nothing is to be paid any more where it was paid or voided."""
    over = datetime(2026, 11, 20, tzinfo=UTC) if turn in {Turn.PAID, Turn.VOIDED} else None
    return Sale("INV-1", "1", "+64211000001", INVOICE_ISSUED, turn, over)


@pytest.mark.parametrize(
    ("turn", "count", "state", "verdict"),
    [
        (Turn.NONE, 1, S.DELIVERED, "told"),
        (Turn.NONE, 0, S.PARKED, "parked"),
        (Turn.NONE, 1, S.PARKED, "parked"),
        (Turn.VOIDED, 0, S.SKIPPED, "unsaid"),
        (Turn.VOIDED, 0, None, "unsaid"),
        (Turn.NONE, 0, S.SKIPPED, "lost"),
        (Turn.PART_PAID, 0, S.SKIPPED, "lost"),
        (Turn.PAID, 1, S.SKIPPED, "lost"),
        (Turn.NONE, 0, None, "lost"),
        (Turn.NONE, 0, S.DELIVERED, "lost"),
        (Turn.NONE, 1, S.SENDING, "lost"),
        (Turn.NONE, 0, S.GIVEN_UP, "lost"),
    ],
)
def test_what_the_ledger_says_of_a_message_is_held_against_what_was_accepted(
    turn: Turn, count: int, state: S | None, verdict: str
) -> None:
    came = Came()
    came.take(sale(turn), INVOICE_ISSUED, count, state)
    counts = {"told": came.told, "parked": came.parked, "unsaid": came.unsaid, "lost": len(came.lost)}
    assert counts == {**dict.fromkeys(counts, 0), verdict: 1}
    assert bool(came.wrong()) == (verdict == "lost")


def test_a_payment_is_owed_though_its_invoice_is_paid_and_two_messages_are_wrong() -> None:
    came, paid = Came(), sale(Turn.PAID)
    assert paid.owed == [INVOICE_ISSUED, PAYMENT_RECEIVED]
    came.take(paid, PAYMENT_RECEIVED, 0, S.SKIPPED)
    came.take(paid, PAYMENT_RECEIVED, 2, S.DELIVERED)
    assert [one.partition(":")[0] for one in came.wrong()] == ["doubled", "lost"]


@pytest.mark.parametrize(
    ("turn", "text", "read_after", "age", "count"),
    [
        (Turn.PAID, "invoice INV-1 for $1 is due on 3 May.", 1, 5, 1),
        (Turn.VOIDED, "invoice INV-1 for $1 was due on 3 May and is still open.", 1, 5, 1),
        (Turn.PAID, "invoice INV-1 for $1 is due on 3 May.", -1, 5, 0),
        (Turn.PAID, "thank you, we received $1 for invoice INV-1.", 1, 5, 0),
        (Turn.NONE, "invoice INV-1 for $1 is due on 3 May.", 1, 5, 0),
        (Turn.NONE, "invoice INV-1 for $1 is due on 3 May.", 1, 61, 1),
    ],
)
def test_what_was_told_though_a_read_had_shown_it_untrue_or_was_too_old_is_late(
    turn: Turn, text: str, read_after: int, age: int, count: int
) -> None:
    told, moment = sale(turn), datetime(2026, 11, 20, tzinfo=UTC)
    began = moment + timedelta(seconds=read_after + age)
    message = AcceptedMessage("SM1", told.mobile, text, None, began, "sent", None, None, None, 100, None)
    attempt = Attempt(
        attempt_id="a1",
        notification_id=1,
        leg_id=1,
        lease_token=1,
        state="accepted",
        started_at=began,
        address=told.mobile,
        sid="SM1",
        read_age_seconds=age,
    )
    assert len(late([message], [told], [attempt])) == count


def test_what_is_parked_is_no_progress_unless_twilio_itself_made_nothing_of_it() -> None:
    states = Counter({S.DELIVERED.value: 90, S.PARKED.value: 10})
    came = support_crash.Came(100, 90, [], [], 10, 0, states, [], [])
    assert came.told() == 0.9
    assert came.told(never_made=10) == 1.0
