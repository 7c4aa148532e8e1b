"""What a person is shown before anything goes out, and how reminders that wait for them are let go."""

from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import Engine
from sqlmodel import select
from typer.testing import CliRunner, Result

from deployments import preview
from deployments.cli import app
from deployments.reminders_held import look
from duebell.clock import system_clock
from duebell.ledger import tenants
from duebell.ledger.engine import reading
from duebell.ledger.tables import Attempt, Audit, Notification, Tenant
from duebell.ledger.writing import writing
from duebell.sending.resending import resend
from duebell.showing import previewing
from tests.support_facts import TENANT, counted, keep_contact, numbered, open_tenant
from tests.support_office import environment_of
from tests.support_overdue import ZONE, Office, at, due, office_over, policy_text

DAY = timedelta(days=1)
RULE = '[[rule]]\nname = "mine"\nwhen = { stage = "overdue" }\nthen = { tone = "firm" }\n'


@pytest.fixture
def office(sqlite_ledger: Engine, tmp_path: Path) -> Office:
    """Twelve customers with an invoice that is a day overdue, one of whom nobody can text."""
    open_tenant(sqlite_ledger, short_code="!mBdtL")
    text = policy_text(rest=f"[limits]\nbreaker_from = 10\n{RULE}")
    now = system_clock()
    today = now.astimezone(ZONE).date()
    office = office_over(sqlite_ledger, tmp_path, now, text)
    for number in range(1, 14):
        phones = [{"PhoneType": "MOBILE", "PhoneNumber": f"+64215550{number:03}" if number < 13 else ""}]
        keep_contact(sqlite_ledger, numbered(700 + number), Phones=phones)
        issued = f"{today - 2 * DAY}T00:00:00"
        contact = {"ContactID": numbered(700 + number)}
        office.keeps(number, **due(today - DAY, Contact=contact, DateString=issued))
    return office


def run(office: Office, folder: Path, *words: str, typed: str = "") -> Result:
    url = office.engine.url.render_as_string(hide_password=False)
    environment = environment_of(folder / "home", url, "http://127.0.0.1:9")
    environment |= {"DUEBELL_POLICY": str(folder / "policy.toml"), "COLUMNS": "200"}
    return CliRunner().invoke(app, list(words), input=typed, env=environment)


def test_a_preview_of_an_invoice_says_what_to_whom_why_and_in_how_many_parts(office: Office) -> None:
    [issued, reminder] = previewing.of_invoice(office.resources, "INV-0001")
    assert (issued.kind, issued.state) == ("invoice_issued", "goes out")
    assert (reminder.stage, reminder.state, reminder.parts) == ("overdue", "goes out", 1)
    assert reminder.to == "customer +64•••••001"
    assert reminder.rule == "rule 1 (mine), by stage"
    assert reminder.text.endswith("Please arrange payment now, or contact us.")


def test_a_preview_of_the_sweep_shows_what_waits_and_what_is_not_said_and_writes_nothing(
    office: Office, tmp_path: Path
) -> None:
    shown = run(office, tmp_path, "preview")
    assert shown.exit_code == 0, shown.output
    assert "invoice overdue, stage overdue: INV-0001 to customer +64•••••001 sms" in shown.output
    assert "far more reminders than usual would go out" in shown.output
    assert "is not said: the contact has no usable mobile number" in shown.output
    assert "0 go out now, 12 wait, 1 are not said." in shown.output
    assert "+6421555" not in shown.output
    assert (counted(office.engine, Notification), counted(office.engine, Attempt)) == (0, 0)


@pytest.mark.parametrize("words", ["INV-0001", ""])
def test_a_preview_tells_the_time_on_the_clock_of_the_organisation(
    sqlite_ledger: Engine, tmp_path: Path, words: str
) -> None:
    day = date(2026, 11, 20)
    open_tenant(sqlite_ledger)
    text = '[invoice_issued]\nenabled = false\n[invoice_overdue]\nclock = "organisation"\n'
    office = office_over(sqlite_ledger, tmp_path, at(day, 2), text)
    keep_contact(sqlite_ledger)
    office.keeps(1, **due(day - DAY))
    console = Console(width=200, file=StringIO(), record=True)
    preview.main(console, office.resources, words)
    assert "waits until Fri 20 Nov 09:00 (Pacific/Auckland)" in console.export_text()


def test_a_preview_names_what_is_wrong_with_a_template(office: Office, tmp_path: Path) -> None:
    text = policy_text(rest='[[rule]]\nwhen = { stage = "overdue" }\nthen = { template = "none" }')
    (tmp_path / "policy.toml").write_text(text)
    shown = run(office, tmp_path, "preview", "--invoice", "INV-0001")
    assert "template problem: rule 1 wants the template: invoice_overdue/none/en/sms.txt" in shown.output


def test_a_preview_of_an_invoice_that_nobody_knows_fails_in_a_sentence(
    office: Office, tmp_path: Path
) -> None:
    shown = run(office, tmp_path, "preview", "--invoice", "INV-9")
    assert (shown.exit_code, shown.output.strip()) == (
        1, "no sales invoice INV-9 is known: check the number, or give its id",
    )  # fmt: skip


def test_a_preview_sends_nothing_in_mind_while_sending_is_stopped(office: Office, tmp_path: Path) -> None:
    now = office.clock.now
    tenants.set_brake(office.engine, stopped=True, by="person:test", why="a slip", scope="all", now=now)
    why = "sending was stopped by person:test, because a slip: `duebell resume` lets it go on"
    for one in previewing.of_invoice(office.resources, "INV-0001"):
        assert (one.state, one.reason) == ("waits", why)
    assert "0 go out now" in run(office, tmp_path, "preview").output


def test_what_was_told_is_shown_as_told(office: Office) -> None:
    office.tells([numbered(1)])
    reminder = previewing.of_invoice(office.resources, numbered(1))[-1]
    assert (reminder.state, reminder.text) == ("accepted", "")


def test_a_preview_counts_what_was_told_apart_from_what_waits(office: Office, tmp_path: Path) -> None:
    office.tells([numbered(1)])
    shown = run(office, tmp_path, "preview", "--invoice", "INV-0001")
    assert "1 go out now, 0 wait, 0 are not said, 1 told before." in shown.output


@pytest.mark.parametrize(
    ("state", "shown_as", "counted_as"),
    [
        ("planned", "to be re-sent, goes out", "2 go out now"),
        ("delivered", "re-sent, delivered", "1 told before."),
        ("failed", "re-sent, failed", "1 did not arrive."),
        ("sending", "re-sent, sending", "1 on their way."),
        ("parked", "re-sent, parked", "1 of unknown outcome."),
    ],
)
def test_a_preview_shows_a_re_send_whether_it_waits_or_has_ended(
    office: Office, tmp_path: Path, state: str, shown_as: str, counted_as: str
) -> None:
    office.tells([numbered(1)])
    resend(office.resources, "INV-0001", by="person:test", why="lost", kind="invoice_overdue")
    with writing(office.engine, office.resources.clock()) as book:
        [again] = book.session.exec(select(Notification).where(Notification.generation == 1)).all()
        again.state = state
    shown = run(office, tmp_path, "preview", "--invoice", "INV-0001")
    assert shown_as in shown.output
    assert counted_as in shown.output


def test_doctor_tells_of_what_waits_and_the_command_lets_it_go(office: Office, tmp_path: Path) -> None:
    assert [one.sound for one in look(office.resources)] == [True]
    office.sweeps()
    [held] = look(office.resources)
    assert not held.sound
    assert "12 of Kauri Test Limited wait" in held.said
    done = run(office, tmp_path, "release", typed="Kauri Test Limited\n")
    assert done.exit_code == 0, done.output
    assert "at most 0 messages on one of the last 30 days" in done.output
    assert "12 reminders of Kauri Test Limited go out with the next sweep." in done.output
    assert [one.sound for one in look(office.resources)] == [True]
    with reading(office.engine) as session:
        assert "unusual volume released" in session.exec(select(Audit.action)).all()
    office.later(minutes=1)
    office.runs(office.sweeps().runs)
    assert len(office.phones.heard) == 12


@pytest.mark.parametrize("given", [["--yes", "Moa Bay"], []])
def test_another_name_lets_nothing_go(office: Office, tmp_path: Path, given: list[str]) -> None:
    office.sweeps()
    done = run(office, tmp_path, "release", *given, typed="Moa Bay\n")
    assert done.exit_code == 1
    assert "Kauri Test Limited" in done.output
    assert office.sweeps().runs == ()
    assert office.phones.heard == []


@pytest.mark.parametrize("given", [["--yes", "Kauri Test Limited"], []])
def test_they_go_by_a_name_that_ends_in_a_blank_in_xero(
    office: Office, tmp_path: Path, given: list[str]
) -> None:
    with writing(office.engine, office.resources.clock()) as book:
        book.session.get_one(Tenant, TENANT).name = "Kauri  Test Limited "
    office.sweeps()
    done = run(office, tmp_path, "release", *given, typed="Kauri Test Limited\n")
    assert done.exit_code == 0, done.output
    assert [one.sound for one in look(office.resources)] == [True]


def test_there_is_nothing_to_let_go_where_nothing_waits(office: Office, tmp_path: Path) -> None:
    done = run(office, tmp_path, "release", "--yes", "Kauri Test Limited")
    assert done.exit_code == 1
    assert "nothing was changed" in done.output
