"""Shows that the tests would notice: each of some grave mistakes is made in a copy, and its test must fail.

    make prove-controls
    make prove-controls ARGS="--only 500"      those whose words contain this

Prints a line for each, and ends with 1 where a mistake went unnoticed or where a test fails without any.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deployments.children import ROOT
from tests.support_mutations import MUTATIONS, Mutation
from tests.support_proofs import commit

PYTEST = ("-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider")
TESTS_FAILED = 1
"""What pytest ends with where tests ran and some failed; anything else is a mistake of the control itself."""


def copy_tree(to: Path) -> Path:
    """The tracked files as they stand, in a folder of their own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - git, wherever it is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, to / name)
    return to


def make(mutation: Mutation, tree: Path) -> str:
    """Make the mistake in this tree; says what does not fit the code any more, and nothing where all does."""
    for file, before, after in mutation.changes:
        path = tree / file
        text = path.read_text(encoding="utf-8")
        if text.count(before) != 1:
            return f"{file} holds it {text.count(before)} times: {before.strip()}"
        path.write_text(text.replace(before, after), encoding="utf-8")
    return ""


def run(tests: Sequence[str], tree: Path) -> int:
    """What pytest ends with for these tests in this tree; its own words are kept beside the tree."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    with (tree / "pytest.log").open("wb") as log:
        done = subprocess.run(
            [sys.executable, *PYTEST, *tests], cwd=tree, env=environment, stdout=log, stderr=log, check=False
        )
    return done.returncode


def outcome(mutation: Mutation, folder: Path) -> str:
    """``noticed``, or what is wrong."""
    tree = copy_tree(folder)
    stale = make(mutation, tree)
    if stale:
        return f"DOES NOT FIT: {stale}"
    code = run([mutation.test], tree)
    if code == TESTS_FAILED:
        return "noticed"
    tail = (tree / "pytest.log").read_text(encoding="utf-8", errors="replace")[-800:]
    return "NOT NOTICED" if code == 0 else f"DID NOT RUN ({code}): {tail}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make every mistake once; returns 1 where one went unnoticed."""
    parser = argparse.ArgumentParser(prog="make prove-controls", description=__doc__)
    parser.add_argument("--only", default="", help="those whose words contain this")
    wanted = parser.parse_args(arguments).only
    chosen = [one for one in MUTATIONS if wanted in one.what]
    say(f"{len(chosen)} mistakes, commit {commit()}")
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_tree(Path(folder))
        if run([one.test for one in chosen], tree) != 0:
            say("the tests fail without any mistake:")
            say((tree / "pytest.log").read_text(encoding="utf-8", errors="replace")[-3_000:])
            return 1
    unnoticed = 0
    for one in chosen:
        with tempfile.TemporaryDirectory() as folder:
            found = outcome(one, Path(folder))
        say(f"{found:<12} {one.what:<56} {one.test.rpartition('::')[2]}")
        unnoticed += found != "noticed"
    say(f"{len(chosen) - unnoticed} of {len(chosen)} mistakes were noticed")
    return 1 if unnoticed else 0


def say(line: str) -> None:
    """One line of the report."""
    print(line, flush=True)  # noqa: T201 - its purpose


if __name__ == "__main__":
    sys.exit(main())
