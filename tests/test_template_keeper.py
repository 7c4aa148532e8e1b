"""A running process says with the last template that could what an edit broke, and tells of it once."""

import logging
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from duebell.errors import TemplateProblem
from duebell.render.rendering import Templates
from duebell.states import NotificationState
from tests.support_facts import MOBILE, keep_contact, open_tenant, resources_over
from tests.support_overdue import at, due, office_over

SHIPPED = Path(__file__).resolve().parents[1] / "deployments" / "templates"
DUE, DAY = date(2026, 11, 2), timedelta(days=1)

GOOD, BETTER = "{{ organisation }} one", "{{ organisation }} two"
BROKEN = ["{{ organisation", "{{ 1 + 1 }}", "{{ organisaton }}", "{{ reference }}", "", None, "x" * 9000]
VALUES: dict[str, object] = {"organisation": "Kauri", "reference": ""}


def write(folder: Path, text: str | None) -> None:
    file = folder / "kind" / "sms.txt"
    file.parent.mkdir(exist_ok=True)
    if text is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(text)


@pytest.mark.parametrize("broken", BROKEN)
def test_what_an_edit_broke_is_said_by_the_template_before_it_until_it_is_mended(
    tmp_path: Path, broken: str | None
) -> None:
    templates = Templates(tmp_path)
    write(tmp_path, GOOD)
    assert templates.render_sms("kind", VALUES) == "Kauri one"
    write(tmp_path, broken)
    assert templates.render_sms("kind", VALUES) == "Kauri one"
    write(tmp_path, BETTER)
    assert templates.render_sms("kind", VALUES) == "Kauri two"


def test_an_edit_that_fails_for_some_messages_alone_says_the_others(tmp_path: Path) -> None:
    templates = Templates(tmp_path)
    write(tmp_path, GOOD)
    templates.render_sms("kind", VALUES)
    write(tmp_path, "{{ organisation }} {{ reference }}")
    assert templates.render_sms("kind", VALUES | {"reference": "PO 7"}) == "Kauri PO 7"
    assert templates.render_sms("kind", VALUES) == "Kauri one"


@pytest.mark.parametrize("broken", BROKEN)
def test_without_an_earlier_template_the_problem_stands(tmp_path: Path, broken: str | None) -> None:
    write(tmp_path, broken)
    with pytest.raises(TemplateProblem, match=r"^kind/sms\.txt"):
        Templates(tmp_path).render_sms("kind", VALUES)


def test_a_check_looks_at_the_file_and_not_at_what_is_remembered(tmp_path: Path) -> None:
    templates = Templates(tmp_path)
    write(tmp_path, GOOD)
    templates.render_sms("kind", VALUES)
    write(tmp_path, "{{ organisation")
    with pytest.raises(TemplateProblem, match="line 1"):
        templates.check("kind")


def test_it_is_told_once_in_the_log_with_its_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    templates = Templates(tmp_path)
    write(tmp_path, GOOD)
    templates.render_sms("kind", VALUES)
    write(tmp_path, "\n{{ organisaton }}")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            templates.render_sms("kind", VALUES)
    [told] = caplog.messages
    assert "kind/sms.txt line 2: there is no field organisaton. Did you mean organisation?" in told


@given(st.lists(st.sampled_from([GOOD, BETTER, *BROKEN])))
def test_a_message_is_always_said_by_the_last_template_that_could(
    tmp_path_factory: pytest.TempPathFactory, contents: list[str | None]
) -> None:
    folder = tmp_path_factory.mktemp("templates", numbered=True)
    templates, said = Templates(folder), "Kauri one"
    for content in [GOOD, *contents]:
        write(folder, content)
        said = {GOOD: "Kauri one", BETTER: "Kauri two"}.get(content or "", said)
        assert templates.render_sms("kind", VALUES) == said


def test_a_reminder_goes_out_while_somebody_edits_its_template(sqlite_ledger: Engine, tmp_path: Path) -> None:
    open_tenant(sqlite_ledger)
    keep_contact(sqlite_ledger)
    shutil.copytree(SHIPPED, tmp_path / "templates")
    file = tmp_path / "templates" / "invoice_overdue" / "en" / "sms.txt"
    office = office_over(sqlite_ledger, tmp_path, at(DUE + DAY))
    office.resources = resources_over(
        office.engine, office.clock, twilio=office.phones,
        DUEBELL_POLICY=str(tmp_path / "policy.toml"), DUEBELL_TEMPLATES=str(tmp_path / "templates"),
    )  # fmt: skip
    office.keeps(1, **due(DUE))
    office.day()
    file.write_text("{{ organisation }}: pay {{ invoice.numbr }}")
    office.later(days=6)
    assert [said.state for said in office.day()] == [NotificationState.ACCEPTED]
    first, second = office.phones.to(MOBILE)
    assert first == second
    file.write_text("{{ organisation }}: pay {{ invoice.number }}")
    office.later(days=7)
    office.day()
    assert office.phones.to(MOBILE)[-1] == "Kauri Test Limited: pay INV-0001"
