"""The table of faults is read as it is meant: numbers, spans, both databases, and what is missing."""

from pathlib import Path

from tests.prove_faults import FaultTest, catalogue, main, numbered, table

TEXT = """
| F001 • | a thing | must be seen | how |
| F002 | another | must be seen | how |
| F003 | a third | must be seen | how |

3 rows. The minimum release gate is F001\u2013F002, F007.
"""


def test_a_row_tells_its_databases_and_whether_a_release_waits_for_it() -> None:
    assert [(one.number, one.both, one.in_gate) for one in catalogue(TEXT)] == [
        (1, True, True),
        (2, False, True),
        (3, False, False),
    ]


def test_a_test_may_bear_two_numbers_and_what_has_none_is_missing(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text("def test_f001_f002_it_holds(ledger): ...\n", encoding="utf-8")
    tests = list(numbered(tmp_path))
    assert [(one.number, one.databases) for one in tests] == [(1, "both"), (2, "both")]
    lines = table(catalogue(TEXT), tests, {"test_f001_f002_it_holds": "passed"})
    assert "passed" in lines[0]
    assert lines[0].endswith("it holds")
    assert lines[2].split() == ["F003", "MISSING"]


def test_a_fault_of_the_gate_without_a_test_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "faults.md").write_text(
        TEXT.replace("F003", "F999").replace("F007", "F999"), encoding="utf-8"
    )
    assert main(["--catalogue", str(tmp_path / "faults.md"), "--to", "999"]) == 1


def test_without_a_catalogue_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert main(["--catalogue", str(tmp_path / "none.md")]) == 0


def test_every_test_of_a_fault_is_known_by_one_number_or_two() -> None:
    found = list(numbered(Path(__file__).parent))
    assert len({one.number for one in found}) > 90
    assert all(isinstance(one, FaultTest) and 1 <= one.number <= 120 for one in found)
