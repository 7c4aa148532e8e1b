"""The commands as a person gives them, on a ledger with one organisation and the sandbox for providers."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select, update

from deployments import connect_command, opening, up
from deployments.installation import Installation
from deployments.sandbox import credentials
from deployments.sandbox.company import COMPANY_NAME
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.server import running_sandbox
from duebell.books.access import XeroAccess, unpaced
from duebell.books.calls import Purpose
from duebell.books.reading import XeroReader
from duebell.ledger import tenants
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit, Brake, Notification, Tenant
from duebell.resources import Resources, open_resources
from duebell.settings import Settings, load
from duebell.states import NotificationState as S
from tests.support_facts import (
    PARKED,
    UNKNOWN,
    conclude,
    invoice_body,
    keep_invoice,
    numbered,
    sent_off,
    the_attempt,
)
from tests.support_office import Office, spoilt

NUMBER = "+64211234567"


@pytest.fixture(scope="module")
def sandbox() -> Generator[SandboxControl]:
    with running_sandbox() as control:
        yield control


def trail(office: Office) -> list[tuple[str, str]]:
    """Who did what, as the ledger has it."""
    with reading(office.engine) as session:
        return list(session.exec(select(Audit.actor, Audit.action).order_by(col(Audit.sequence))).all())


def brake(office: Office) -> Brake | None:
    with reading(office.engine) as session:
        return session.get(Brake, "all")


def notifications(office: Office) -> list[Notification]:
    with reading(office.engine) as session:
        return list(session.exec(select(Notification).order_by(col(Notification.notification_id))).all())


def issue_recently(office: Office) -> str:
    """A new invoice of a customer who can be texted, read into the ledger; returns its number."""
    cafe = next(one for one in office.sandbox.contacts() if one.name == "Aro Street Cafe")
    invoice = office.sandbox.add_invoice(cafe.contact_id, "99.00")
    resources = open_resources(load(office.environment, env_file=None))
    reader = XeroReader(XeroAccess(resources, credentials.TENANT_ID, unpaced, "test", Purpose.POLL))
    reader.invoices([invoice.invoice_id], since=resources.clock())
    resources.close()
    return invoice.number


def test_the_organisations_name_lets_it_send_and_says_what_that_means(office: Office) -> None:
    done = office.run("go-live", typed=f"{COMPANY_NAME}\n")
    assert done.exit_code == 0
    assert office.tenant().sending == "live"
    for shown in (COMPANY_NAME, "NZD", "open sales invoices", "3;", credentials.TWILIO_FROM):
        assert shown in done.output
    assert "went live" in [action for _, action in trail(office)]


def test_a_script_gives_the_name_as_an_option(office: Office) -> None:
    done = office.run("go-live", "--yes", COMPANY_NAME)
    assert done.exit_code == 0
    assert office.tenant().sending == "live"


@pytest.mark.parametrize("given", [["--yes", "Moa Bay"], []])
def test_any_other_name_leaves_the_organisation_in_review(office: Office, given: list[str]) -> None:
    done = office.run("go-live", *given, typed="moa bay bakery supplies\n")
    assert done.exit_code == 1
    assert office.tenant().sending == "review"
    assert COMPANY_NAME in done.output


@pytest.mark.parametrize("given", [["--yes", "Moa Bay"], ["--yes", "Moa Bay "], []])
def test_a_name_that_ends_in_a_blank_in_xero_can_be_said(office: Office, given: list[str]) -> None:
    with office.engine.begin() as connection:
        connection.execute(text("UPDATE tenant SET name = ' Moa \u00a0Bay '"))
    done = office.run("go-live", *given, typed="Moa Bay\n")
    assert (done.exit_code, office.tenant().sending) == (0, "live")


@pytest.mark.parametrize("given", [["--yes", COMPANY_NAME], []])
def test_of_two_organisations_with_one_name_none_goes_live_until_its_id_is_given(
    office: Office, given: list[str]
) -> None:
    other = "5a4db0c5-0000-4000-8000-000000000002"
    with Session(office.engine) as session, session.begin():
        session.add(Tenant.model_validate({**office.tenant().model_dump(), "tenant_id": other}))
    done = office.run("go-live", *given, typed=f"{COMPANY_NAME}\n")
    assert (done.exit_code, office.tenant().sending) == (1, "review")
    assert "2 organisations are named" in done.output
    assert office.run("go-live", "--yes", credentials.TENANT_ID.upper()).exit_code == 0
    live = {one.tenant_id: one.sending for one in tenants.connected(office.engine)}
    assert live == {credentials.TENANT_ID: "live", other: "review"}


def test_an_organisation_does_not_go_live_without_a_sender(office: Office) -> None:
    done = office.run("go-live", "--yes", COMPANY_NAME, TWILIO_FROM="")
    assert done.exit_code == 1
    assert "TWILIO_FROM" in done.output
    assert office.tenant().sending == "review"


def test_going_live_twice_says_that_nobody_is_in_review(office: Office) -> None:
    office.run("go-live", "--yes", COMPANY_NAME)
    again = office.run("go-live", "--yes", COMPANY_NAME)
    assert again.exit_code == 1
    assert "no connected organisation is in review" in again.output


@pytest.mark.parametrize(("given", "then"), [((), S.SKIPPED), (("--send-held",), S.PLANNED)])
@pytest.mark.parametrize("kept_in", ["review", "allowlist"])
def test_what_the_installation_kept_in_of_a_live_organisation_is_let_go_or_left_out_by_going_live_again(
    office: Office, kept_in: str, given: tuple[str, ...], then: str
) -> None:
    office.run("go-live", "--yes", COMPANY_NAME)
    number = issue_recently(office)
    assert office.run("resend", number, "--why", "a trial", DUEBELL_SENDING=kept_in).exit_code == 0
    assert [one.state for one in notifications(office)] == [S.HELD]
    kept = " ".join(office.run("doctor", DUEBELL_SENDING=kept_in).output.split())
    assert f"its sending is live, and DUEBELL_SENDING={kept_in} keeps it to that" in kept
    still = office.run("go-live", "--yes", COMPANY_NAME, DUEBELL_SENDING=kept_in)
    assert "no connected organisation is in review" in still.output
    assert "had kept in" in office.run("doctor").output.replace("\n", " ")
    assert office.run("go-live", "--yes", COMPANY_NAME, *given).exit_code == 0
    assert [one.state for one in notifications(office)] == [then]
    assert "had kept in" not in office.run("doctor").output


def test_who_goes_live_in_an_installation_in_review_is_not_promised_that_anything_goes_out(
    office: Office,
) -> None:
    number = issue_recently(office)
    office.run("resend", number, "--why", "a trial")
    done = office.run("go-live", "--yes", COMPANY_NAME, "--send-held", DUEBELL_SENDING="review")
    told = " ".join(done.output.split())
    assert (
        "is live. Nothing but what DUEBELL_SENDING=review lets out goes out before that is changed." in told
    )
    explained = office.run("explain", number, DUEBELL_SENDING="review").output
    assert "Nothing goes out now: DUEBELL_SENDING=review lets nothing out" in explained
    assert "Nothing goes out now" not in office.run("explain", number).output


def test_a_name_that_looks_like_markup_is_shown_as_it_is(office: Office) -> None:
    with office.engine.begin() as connection:
        connection.execute(text("UPDATE tenant SET name = 'Moa [bold] & [/Sons]'"))
    done = office.run("go-live", "--yes", "Moa [bold] & [/Sons]")
    assert done.exit_code == 0
    assert done.output.count("Moa [bold] & [/Sons]") == 2


def test_stop_and_resume_turn_the_brake_and_are_written_down(office: Office) -> None:
    stopped = office.run("stop", "--why", "the template is wrong")
    on = brake(office)
    assert stopped.exit_code == 0
    assert on is not None
    assert (on.stopped, on.why) == (True, "the template is wrong")
    resumed = office.run("resume")
    off = brake(office)
    assert resumed.exit_code == 0
    assert off is not None
    assert not off.stopped
    assert [action for _, action in trail(office)][-2:] == ["sending stopped", "sending resumed"]


def test_a_stop_that_met_no_organisation_says_that_another_installation_goes_on(
    office: Office, tmp_path: Path
) -> None:
    done = office.run("stop", DUEBELL_DATABASE_URL=f"sqlite:///{tmp_path / 'other.db'}")
    assert done.exit_code == 1
    assert "knows no organisation" in " ".join(done.output.split())
    assert brake(office) is None


def test_a_test_message_is_sent_once_and_written_down_without_the_number(office: Office) -> None:
    done = office.run("send-test", "--to", "+64 21 123 4567")
    (message,) = office.sandbox.accepted_messages()
    assert done.exit_code == 0
    assert message.sid in done.output
    assert message.to == NUMBER
    assert trail(office)[-1][1] == "test message"
    assert NUMBER not in office.run("audit").output


def test_a_refused_test_message_is_told_with_twilios_code(office: Office) -> None:
    office.sandbox.opt_out(NUMBER)
    done = office.run("send-test", "--to", NUMBER)
    assert done.exit_code == 1
    assert "21610" in done.output
    assert office.sandbox.accepted_messages() == ()


def test_a_test_message_without_an_answer_is_not_called_failed(office: Office) -> None:
    office.sandbox.fail_next("drop_after", method="POST", path="*Messages*")
    done = office.run("send-test", "--to", NUMBER)
    assert done.exit_code == 1
    assert "look at your phone" in done.output
    assert len(office.sandbox.accepted_messages()) == 1


def test_no_test_message_is_sent_while_sending_is_stopped(office: Office) -> None:
    office.run("stop")
    done = office.run("send-test", "--to", NUMBER)
    assert done.exit_code == 1
    assert "duebell resume" in done.output
    assert office.sandbox.accepted_messages() == ()


def test_what_is_no_number_is_not_sent_to(office: Office) -> None:
    done = office.run("send-test", "--to", "021 123 4567")
    assert done.exit_code == 1
    assert "country code" in done.output
    assert office.sandbox.accepted_messages() == ()


def test_a_resend_is_planned_with_who_asked_and_why(office: Office) -> None:
    office.run("go-live", "--yes", COMPANY_NAME)
    number = issue_recently(office)
    done = office.run("resend", number, "--why", "she asked for it")
    assert done.exit_code == 0
    assert "goes out within seconds" in done.output
    assert [row.state for row in notifications(office)] == ["planned"]
    asked = office.run("audit", number).output
    assert "re-send asked for" in asked
    assert "why she asked for it" in asked


@pytest.mark.parametrize(
    ("before", "variables", "said"),
    [
        ([["go-live", "--yes", COMPANY_NAME], ["stop"]], {}, "goes on with `duebell resume`"),
        ([], {}, "run `duebell go-live`, with --send-held"),
        ([["go-live", "--yes", COMPANY_NAME]], {"DUEBELL_SENDING": "review"}, "DUEBELL_SENDING=review lets"),
        ([["stop"]], {}, "with --send-held for this too; sending is stopped"),
    ],
)
def test_a_resend_that_waits_says_for_what(
    office: Office, before: list[list[str]], variables: dict[str, str], said: str
) -> None:
    for command in before:
        assert office.run(*command).exit_code == 0
    done = office.run("resend", issue_recently(office), "--why", "she asked", **variables)
    assert done.exit_code == 0
    assert said in " ".join(done.output.split())
    assert "within seconds" not in done.output


def test_a_resend_beside_a_message_that_still_waits_is_refused(office: Office) -> None:
    office.run("go-live", "--yes", COMPANY_NAME)
    number = issue_recently(office)
    office.run("resend", number, "--why", "first")
    again = office.run("resend", number, "--why", "again")
    assert again.exit_code == 1
    assert "twice" in again.output
    assert len(notifications(office)) == 1


def test_a_resend_of_an_unknown_invoice_plans_nothing(office: Office) -> None:
    done = office.run("resend", "INV-4711", "--why", "typing error")
    assert done.exit_code == 1
    assert "INV-4711" in done.output
    assert notifications(office) == []


@pytest.mark.parametrize("command", ["preview", "backtest"])
def test_a_command_over_all_organisations_says_that_none_is_connected(office: Office, command: str) -> None:
    with office.engine.begin() as connection:
        connection.execute(update(Tenant).values(state="disconnected"))
    done = office.run(command)
    assert done.exit_code == 1
    assert "no organisation is connected: run `duebell connect`" in done.output


def test_the_trail_is_shown_oldest_first_and_its_chain_is_whole(office: Office) -> None:
    office.run("stop")
    done = office.run("audit", "--most", "2")
    first, second, verdict = done.output.strip().splitlines()
    assert done.exit_code == 0
    assert "first sync done" in first
    assert "sending stopped" in second
    assert "whole" in verdict


def test_a_subject_is_searched_literally(office: Office) -> None:
    done = office.run("audit", "%")
    assert done.exit_code == 1
    assert "no invoice is known as %, and no entry is about it" in done.output


def test_of_an_invoice_about_which_nothing_was_done_the_trail_says_so(office: Office) -> None:
    old = issue_recently(office)
    done = office.run("audit", old)
    assert done.exit_code == 0
    assert f"Nothing was ever done about {old}" in done.output
    assert "whole" in done.output


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET actor = 'person:nobody' WHERE sequence = 2",
        "UPDATE audit SET details = '{}' WHERE sequence = 3",
        "UPDATE audit SET at = '2020-01-01 00:00:00.000000' WHERE sequence = 2",
        "DELETE FROM audit WHERE sequence = 2",
        "DELETE FROM audit WHERE sequence = 1",
    ],
)
def test_a_changed_or_missing_row_of_the_trail_is_found(office: Office, change: str) -> None:
    with office.engine.begin() as connection:
        connection.execute(text(change))
    done = office.run("audit")
    assert done.exit_code == 1
    assert "the trail was changed at entry" in done.output
    assert office.run("doctor").exit_code == 1


def test_every_command_tells_a_wrong_setting_in_a_sentence(office: Office) -> None:
    for words in (
        ["go-live"],
        ["resume"],
        ["send-test", "--to", NUMBER],
        ["resend", "INV-1", "--why", "x"],
        ["connect"],
        ["up"],
    ):
        done = office.run(*words, XERO_API_URL="http://books.example")
        assert done.exit_code == 1, words
        assert "XERO_API_URL" in done.output, words
        assert "Traceback" not in done.output, words


def test_the_sid_of_a_message_that_was_left_to_a_person_settles_it(office: Office) -> None:
    sent_off(office.engine)
    conclude(office.engine, UNKNOWN)
    conclude(office.engine, PARKED)
    keep_invoice(office.engine, invoice_body(numbered(1)))
    office.run("send-test", "--to", NUMBER)
    (message,) = office.sandbox.accepted_messages()
    left = "a person has to decide on"
    before = " ".join(office.run("doctor").output.split())
    assert (left in before, "then `duebell settle` with the SID" in before) == (True, True)
    refused = office.run("settle", message.sid, "--why", "it is in the log")
    assert (refused.exit_code, "name the --invoice" in refused.output) == (1, True)
    done = office.run("settle", message.sid, "--why", "it is in the log", "--invoice", numbered(1))
    assert done.exit_code == 0, done.output
    assert f"the message about INV-0001 is {notifications(office)[0].state} now" in done.output
    assert the_attempt(office.engine).sid == message.sid
    assert left not in " ".join(office.run("doctor").output.split())


def spoilt_alone(settings: Settings, *, is_faulty: bool) -> Resources:
    assert not is_faulty
    return spoilt(settings)


@contextmanager
def unstarted(installation: Installation) -> Generator[Installation]:
    yield installation


@pytest.mark.parametrize(
    ("command", "done_said"), [("stop", "is stopped"), ("connect", ": connected"), ("up", "is up")]
)
def test_a_ledger_that_fails_in_the_middle_of_a_command_is_told_in_a_sentence(
    office: Office, monkeypatch: pytest.MonkeyPatch, command: str, done_said: str
) -> None:
    """A full disk, a server that is gone, or a writer that never ends."""
    for module in (opening, connect_command, up):
        monkeypatch.setattr(module, "open_resources", spoilt)
    monkeypatch.setattr(opening, "open_ledger_alone", spoilt_alone)
    monkeypatch.setattr(up, "running", unstarted)
    done = office.run(command)
    assert done.exit_code == 1
    assert "the ledger failed: its file is no SQLite database" in done.output
    assert "DUEBELL_DATABASE_URL" in done.output
    assert done_said not in done.output
