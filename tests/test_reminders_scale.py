"""The sweep's proof in small: six organisations in six zones over a day, and a cron that misfires."""

from pathlib import Path

import pytest

from tests.prove_reminders import a_day
from tests.support_scale_calls import calls_of_reading


def test_six_organisations_are_swept_in_their_own_hours_and_nothing_is_planned_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert a_day(tmp_path, invoices=90, customers=30, sweeps=3)
    said = capsys.readouterr().out
    assert "3 misfired sweeps of all: 0 more, 0 runs started" in said
    assert "told twice: 0; invariants: all hold" in said


def test_everything_is_read_once_and_once_more_before_it_is_spoken_of() -> None:
    read, swept, again = calls_of_reading(120, 12)
    assert read == (
        "calls to Xero for the first read of all: 4 (1 Organisation, 1 Invoices, 1 Contacts, 1 CreditNotes)"
    )
    assert swept.endswith("are due: 0")
    assert again.endswith("to be spoken of: 1 (1 Invoices)")
