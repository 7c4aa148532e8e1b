"""The mistakes of the controls still fit the code, so that ``make prove-controls`` makes them."""

import re
import shutil
from pathlib import Path

import pytest

from deployments.children import ROOT
from tests.prove_controls import make
from tests.support_mutations import MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.what)
def test_a_mistake_can_be_made_and_its_test_is_there(mutation: Mutation, tmp_path: Path) -> None:
    for file, _, _ in mutation.changes:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, tmp_path / file)
    assert make(mutation, tmp_path) == ""
    file, _, test = mutation.test.partition("::")
    assert re.search(rf"^def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_a_mistake_that_fits_no_more_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("one\n", encoding="utf-8")
    assert "holds it 0 times" in make(Mutation("x", (("x.py", "two", "three"),), "x::y"), tmp_path)
