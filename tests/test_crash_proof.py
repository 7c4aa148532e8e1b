"""The crash proof in short, and that it knows every place at which a process can be made to die."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from deployments.children import ROOT
from tests.prove_crash import SENDING_POINTS

ELSEWHERE = {
    "receiver-before-commit": "tests/test_receiver_crash.py",
    "receiver-after-commit": "tests/test_receiver_crash.py",
    "tokens-answered": "tests/test_faults_tokens.py",
}
"""The fail points that no sender passes, and the tests that kill there."""


def _named_in(path: Path) -> Iterator[str]:
    """The fail points that a module has."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "fail_point":
            yield ast.literal_eval(node.args[0])


def test_a_sender_dies_at_every_fail_point_that_it_passes() -> None:
    files = [
        path for top in ("duebell", "deployments", "tasks", "flows") for path in (ROOT / top).rglob("*.py")
    ]
    named = [point for path in files for point in _named_in(path)]
    assert sorted(named) == sorted([*SENDING_POINTS, *ELSEWHERE])
    assert [point for point, test in ELSEWHERE.items() if point not in (ROOT / test).read_text()] == []


def test_senders_that_die_around_a_post_tell_nobody_twice_and_lose_nobody() -> None:
    command = [sys.executable, "-m", "tests.prove_crash", "--database", "sqlite", "--only", "short"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kill at 2 points" in done.stdout
    assert "stop at 1 points" in done.stdout
