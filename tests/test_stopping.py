"""The brake of one organisation beside that of all: each is taken off by itself, and each is told."""

from collections.abc import Generator
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from deployments.sandbox import credentials
from deployments.sandbox.company import COMPANY_NAME
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.server import running_sandbox
from duebell.ledger import tenants
from duebell.ledger.braking import is_braked
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit, Tenant
from duebell.sending import stopping
from duebell.sending.standing_still import stands_still
from duebell.states import Sending
from tests.support_facts import NOW, OTHER_TENANT, TENANT, open_tenant
from tests.support_office import Office

KEA = "5a4db0c5-0000-4000-8000-000000000002"
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def sandbox() -> Generator[SandboxControl]:
    with running_sandbox() as control:
        yield control


@pytest.fixture
def two(office: Office) -> Office:
    """An office with a second organisation."""
    with Session(office.engine) as session, session.begin():
        changed = {"tenant_id": KEA, "name": "Kea & Sons"}
        session.add(Tenant.model_validate({**office.tenant().model_dump(), **changed}))
    return office


def unwrapped(output: str) -> str:
    return " ".join(output.split())


def braked(engine: Engine) -> list[str]:
    with reading(engine) as session:
        every = (TENANT, OTHER_TENANT, credentials.TENANT_ID, KEA)
        return [one for one in every if is_braked(session, one)]


def stop(ledger: Engine, scope: str, later: timedelta = timedelta(), why: str = "a slip") -> None:
    tenants.set_brake(ledger, stopped=True, by="person:ana", why=why, scope=scope, now=NOW + later)


def test_to_let_all_go_on_leaves_an_organisation_that_was_stopped_by_itself_as_it_is(ledger: Engine) -> None:
    open_tenant(ledger)
    stop(ledger, TENANT)
    stop(ledger, "all")
    stopping.resume_all(ledger, "person:bo", "mended", now=NOW + MINUTE)
    assert braked(ledger) == [TENANT]
    [left] = stopping.stopped(ledger)
    assert (left.tenant_id, left.since, left.by, left.why) == (TENANT, NOW, "person:ana", "a slip")


def test_to_let_one_organisation_go_on_leaves_all_stopped(ledger: Engine) -> None:
    for scope in (TENANT, OTHER_TENANT, "all"):
        stop(ledger, scope)
    assert stopping.resume_one(ledger, TENANT, "person:bo", "mended", now=NOW + MINUTE)
    assert [one.tenant_id for one in stopping.stopped(ledger)] == ["", OTHER_TENANT]
    stopping.resume_all(ledger, "person:bo", "", now=NOW + MINUTE)
    assert braked(ledger) == [OTHER_TENANT]


def test_an_organisation_that_was_not_stopped_by_itself_is_not_written_down_as_let_go_on(
    ledger: Engine,
) -> None:
    stop(ledger, "all")
    assert not stopping.resume_one(ledger, TENANT, "person:bo", "", now=NOW)
    with reading(ledger) as session:
        assert list(session.exec(select(Audit.action)).all()) == ["sending stopped"]


def test_who_stops_what_is_stopped_gives_another_reason_and_the_stop_is_as_old_as_it_is(
    ledger: Engine,
) -> None:
    stop(ledger, "all")
    stop(ledger, "all", MINUTE, "it is still wrong")
    [one] = stopping.stopped(ledger)
    assert (one.since, one.why) == (NOW, "it is still wrong")
    stopping.resume_all(ledger, "person:bo", "", now=NOW + MINUTE)
    stop(ledger, "all", 2 * MINUTE)
    assert [one.since for one in stopping.stopped(ledger)] == [NOW + 2 * MINUTE]


def test_an_organisation_is_stopped_and_let_go_on_by_its_name_or_id_alone(two: Office) -> None:
    done = two.run("stop", "--tenant", "Kea & Sons", "--why", "the template is wrong")
    assert (done.exit_code, braked(two.engine)) == (0, [KEA]), done.output
    said = unwrapped(done.output)
    assert f"Sending of Kea & Sons is stopped. `duebell resume --tenant {KEA}` lets it go on" in said
    done = two.run("resume", "--tenant", KEA.upper(), "--why", "mended")
    assert (done.exit_code, braked(two.engine)) == (0, []), done.output
    assert "Sending of Kea & Sons goes on." in unwrapped(done.output)
    with reading(two.engine) as session:
        rows = session.exec(select(Audit).where(Audit.subject_type == "brake").order_by("sequence")).all()
    assert [(row.action, row.subject_id, row.tenant_id) for row in rows] == [
        ("sending stopped", KEA, KEA),
        ("sending resumed", KEA, KEA),
    ]
    assert "mended" in rows[-1].details


@pytest.mark.parametrize("command", ["stop", "resume"])
@pytest.mark.parametrize("named", ["Tui", ""])
def test_a_name_that_nobody_has_neither_stops_nor_lets_go_on(two: Office, command: str, named: str) -> None:
    two.run("stop", "--tenant", KEA)
    done = two.run(command, "--tenant", named)
    assert (done.exit_code, braked(two.engine)) == (1, [KEA])
    said = unwrapped(done.output)
    assert f"'{named}' is no organisation that the ledger knows" in said
    assert COMPANY_NAME in said
    assert "nothing was changed" in said


def test_to_let_one_go_on_while_all_is_stopped_says_so(two: Office) -> None:
    for given in (("--tenant", KEA), ("--why", "a slip")):
        two.run("stop", *given)
    said = unwrapped(two.run("resume", "--tenant", KEA).output)
    assert (
        "Kea & Sons is no longer stopped by itself, but sending of all organisations is stopped since" in said
    )
    assert "because a slip. `duebell resume` lets it go on." in said
    again = unwrapped(two.run("resume", "--tenant", KEA).output)
    assert "Kea & Sons was not stopped by itself: sending of all organisations is stopped since" in again
    assert [one.tenant_id for one in stopping.stopped(two.engine)] == [""]


def test_to_let_all_go_on_says_which_is_still_stopped(two: Office) -> None:
    two.run("stop", "--tenant", KEA, "--why", "a slip")
    two.run("stop")
    said = unwrapped(two.run("resume").output)
    assert f"Sending goes on. But sending of Kea & Sons ({KEA}) is stopped since" in said
    assert f"because a slip: `duebell resume --tenant {KEA}` lets it go on." in said
    assert braked(two.engine) == [KEA]


def test_doctor_says_which_organisation_is_stopped_since_when_by_whom_and_why(two: Office) -> None:
    tenants.set_brake(two.engine, stopped=True, by="person:ana", why="a slip", scope=KEA, now=NOW)
    done = two.run("doctor")
    assert done.exit_code == 1
    assert (
        f"mend brake: sending of Kea & Sons ({KEA}) is stopped since 2026-11-20 01:16 UTC by person:ana, "
        f"because a slip: `duebell resume --tenant {KEA}` lets it go on"
    ) in unwrapped(done.output)


def test_a_test_message_goes_out_while_only_one_organisation_is_stopped(two: Office) -> None:
    two.run("stop", "--tenant", KEA)
    assert two.run("send-test", "--to", "+64211234567").exit_code == 0
    assert len(two.sandbox.accepted_messages()) == 1


def test_what_keeps_an_organisation_waiting_is_told_with_the_command_that_ends_it(ledger: Engine) -> None:
    open_tenant(ledger)
    stop(ledger, TENANT)
    with reading(ledger) as session:
        tenant = session.get_one(Tenant, TENANT)
        assert list(stands_still(session, tenant, Sending.LIVE, NOW)) == [
            "sending of this organisation was stopped by person:ana, because a slip: "
            f"`duebell resume --tenant {TENANT}` lets it go on"
        ]
