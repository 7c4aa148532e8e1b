"""Holds the catalogue of faults against the tests that bear their numbers, and says what is missing.

    make prove-faults
    make prove-faults ARGS="--run"                    runs them all, and adds the results
    make prove-faults ARGS="--run --from 69 --to 86"  some of them

A test that shows fault 71 is called ``test_f071_…``; one that shows two bears both numbers. The catalogue is
read from ``../shared/reference/reliability.md`` beside the checkout, or from ``--catalogue``.
"""

import argparse
import ast
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from deployments.children import ROOT
from tests.support_ledger import POSTGRES
from tests.support_proofs import commit

CATALOGUE = ROOT.parent / "shared" / "reference" / "reliability.md"
ROW = re.compile(r"^\| F(\d{3})( •)? \|", re.MULTILINE)
GATE = re.compile(r"minimum release gate is ([F0-9, \u2013-]+)\.")
SPAN = re.compile(r"F(\d{3})(?:[\u2013-]F(\d{3}))?")
NUMBERED = re.compile(r"test_((?:f\d{3}_)+)")
BOTH = ("ledger", "url", "postgres", "books")
"""Fixtures that run a test on PostgreSQL as well."""
SIDE_BY_SIDE = ("-n", "4", "--dist", "loadfile", "--no-loadscope-reorder")
RAN = {"passed": 0, "skipped": 1, "failed": 2}


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the catalogue: whether both databases have to show it, and whether a release waits for it."""

    number: int
    both: bool
    in_gate: bool


@dataclass(frozen=True, slots=True)
class FaultTest:
    """A test that bears the number of a fault."""

    number: int
    file: str
    name: str
    databases: str


def catalogue(text: str) -> list[Fault]:
    """The faults of the catalogue, in order."""
    gate = set[int]()
    for found in GATE.finditer(text):
        for first, last in SPAN.findall(found[1]):
            gate |= set(range(int(first), int(last or first) + 1))
    return [Fault(int(row[1]), row[2] is not None, int(row[1]) in gate) for row in ROW.finditer(text)]


def numbered(folder: Path) -> Iterator[FaultTest]:
    """The tests of a folder that bear numbers of faults, once for each number."""
    for path in sorted(folder.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (found := NUMBERED.match(node.name)):
                databases = "both" if {one.arg for one in node.args.args} & set(BOTH) else "sqlite"
                for number in re.findall(r"\d{3}", found[1]):
                    yield FaultTest(int(number), path.name, node.name, databases)


def run(tests: Sequence[FaultTest]) -> dict[str, str]:
    """Run these tests in their files; the worst result of each by its name: passed, skipped or failed.

    As `make test` does: side by side, those that mostly wait for real processes last. How far it is goes to
    standard error, so that the table alone is on standard output.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        wanted = [f"tests/{one.file}::{one.name}" for one in {(t.file, t.name): t for t in tests}.values()]
        command = [sys.executable, "-m", "pytest", "-q", *SIDE_BY_SIDE, f"--junitxml={report}", *wanted]
        subprocess.run(command, cwd=ROOT, env=os.environ, stdout=sys.stderr, check=False)
        results: dict[str, str] = {}
        for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it just now
            kinds = {child.tag for child in case}
            fine = "skipped" if "skipped" in kinds else "passed"
            result = "failed" if kinds & {"failure", "error"} else fine
            name = case.attrib["name"].partition("[")[0]
            known = results.get(name)
            # A case that another database has to show is left out where there is none; the rest still counts.
            results[name] = max({known or result, result} - {"skipped"} or {"skipped"}, key=RAN.__getitem__)
    return results


def table(faults: Sequence[Fault], tests: Sequence[FaultTest], results: dict[str, str]) -> list[str]:
    """A line for each fault and test."""
    by_number: dict[int, list[FaultTest]] = defaultdict(list)
    for one in tests:
        by_number[one.number].append(one)
    lines: list[str] = []
    for fault in faults:
        mark = f"F{fault.number:03}{' gate' if fault.in_gate else '':<5}"
        for one in by_number.get(fault.number, []):
            words = NUMBERED.sub("", one.name).replace("_", " ")
            lines.append(f"{mark} {results.get(one.name, ''):<8}{one.databases:<7}{one.file:<28}{words}")
        if fault.number not in by_number:
            lines.append(f"{mark} MISSING")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns 1 where a fault of the gate has no test, or a test failed."""
    wanted = _options(arguments)
    if not wanted.catalogue.is_file():
        say(f"no catalogue of faults ({wanted.catalogue.name}) is beside this checkout: nothing to compare")
        return 0
    known = catalogue(wanted.catalogue.read_text(encoding="utf-8"))
    faults = [one for one in known if wanted.first <= one.number <= wanted.last]
    tests = [one for one in numbered(ROOT / "tests") if wanted.first <= one.number <= wanted.last]
    results = run(tests) if wanted.run and tests else {}
    say(f"commit {commit()}, {'both databases' if POSTGRES else 'SQLite alone'}")
    for line in table(faults, tests, results):
        say(line)
    have = {one.number for one in tests}
    missing = [one for one in faults if one.number not in have]
    gate = [f"F{one.number:03}" for one in missing if one.in_gate]
    alone = [one for one in faults if one.both and one.number in have and not _on_both(one, tests)]
    failed = sorted(name for name, result in results.items() if result == "failed")
    say(f"{len(faults)} faults, {len(faults) - len(missing)} with a test, {len(missing)} without")
    say(f"without, of the gate: {', '.join(gate) or 'none'}")
    say(f"on SQLite alone, and wanted on both: {', '.join(f'F{one.number:03}' for one in alone) or 'none'}")
    say(f"failed: {', '.join(failed) or 'none'}" if wanted.run else "not run: say --run")
    return 1 if gate or failed else 0


def _on_both(fault: Fault, tests: Sequence[FaultTest]) -> bool:
    return any(one.number == fault.number and one.databases == "both" for one in tests)


def say(line: str) -> None:
    """One line of the report."""
    print(line, flush=True)  # noqa: T201 - its purpose


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make prove-faults", description=__doc__)
    parser.add_argument("--run", action="store_true", help="run the tests and add what came of them")
    parser.add_argument("--from", type=int, default=1, dest="first", help="number of the first fault")
    parser.add_argument("--to", type=int, default=120, dest="last", help="number of the last fault")
    parser.add_argument("--catalogue", type=Path, default=CATALOGUE)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
