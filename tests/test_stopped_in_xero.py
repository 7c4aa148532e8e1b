"""Who stops is put into the contact group of Xero, and out again by START, over HTTP, on both databases."""

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from deployments import doctor_groups
from deployments.sandbox import credentials
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_types import FaultKind
from deployments.sandbox.server import running_sandbox
from duebell.books import polling
from duebell.books.access import XeroAccess, unpaced
from duebell.books.calls import Purpose
from duebell.books.reading import XeroReader
from duebell.connecting.connecting import connect_custom
from duebell.ledger import group_lines, tenants, wishes
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit, GroupLine, XeroEvent
from duebell.ledger.writing import writing
from duebell.preferences import preferring, stopped_in_xero, who_stopped, wishes_in_xero
from duebell.preferences.mirroring import Consent, Source, Wish
from duebell.preferences.stopped_in_xero import Shown
from duebell.resources import Resources
from duebell.xero.identity import SCOPES, WRITES_CONTACTS
from duebell.xero.transfer import make_http_client
from tests.support_facts import Hand, resources_over

TENANT = credentials.TENANT_ID
GROUP = "No SMS"
UNKNOWN = "eeeeeeee-2222-4333-8444-555555555555"
POLICY = f"""
[preferences]
mirror_to_twilio = true
no_messages_groups = ["{GROUP}"]
write_back_group = "{GROUP}"
"""


@pytest.fixture(scope="module")
def running() -> Generator[SandboxControl]:
    with running_sandbox() as control:
        yield control


@pytest.fixture
def sandbox(running: SandboxControl) -> SandboxControl:
    running.reset()
    running.app_scopes(" ".join((*SCOPES, WRITES_CONTACTS)))
    return running


@pytest.fixture
def office(ledger: Engine, sandbox: SandboxControl, tmp_path: Path) -> Generator[Resources]:
    """A custom connection, by the clock of the sandbox."""
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    clock = Hand()
    clock.now = datetime.now(UTC)
    variables = {
        "XERO_CLIENT_ID": credentials.XERO_CLIENT_ID,
        "XERO_CLIENT_SECRET": credentials.XERO_CLIENT_SECRET,
        "XERO_GRANT": "client_credentials",
        "XERO_API_URL": sandbox.base_url,
        "XERO_IDENTITY_URL": sandbox.base_url,
        "DUEBELL_POLICY": str(policy),
    }
    resources = replace(resources_over(ledger, clock, **variables), xero_http=make_http_client())  # pyright: ignore[reportArgumentType]  # names of variables, and no others
    connect_custom(resources, lambda _tenant: unpaced, unpaced)
    XeroReader(access(resources, TENANT, Purpose.POLL)).contacts([cafe(sandbox)], since=clock())
    yield resources
    resources.xero_http.close()


def cafe(sandbox: SandboxControl) -> str:
    return next(one.contact_id for one in sandbox.contacts() if one.name == "Aro Street Cafe")


def number_of_cafe(office: Resources, sandbox: SandboxControl) -> str:
    (tenant,) = tenants.connected(office.engine)
    with reading(office.engine) as session:
        return who_stopped.numbers(session, tenant)[cafe(sandbox)]


def later(office: Resources, seconds: int) -> None:
    assert isinstance(office.clock, Hand)
    office.clock.now += timedelta(seconds=seconds)


def says(office: Resources, sandbox: SandboxControl, status: Consent, source: Source = Source.WORD) -> None:
    later(office, 1)
    number = number_of_cafe(office, sandbox)
    with writing(office.engine, office.clock()) as book:
        wishes.said(book, number, Wish(status, source, book.now))


def access(office: Resources, tenant_id: str, purpose: Purpose) -> XeroAccess:
    return XeroAccess(office, tenant_id, unpaced, "test", purpose, sleep=lambda _seconds: None)


def way_of(office: Resources) -> stopped_in_xero.AccessTo:
    return lambda tenant_id, purpose: access(office, tenant_id, purpose)


def run(office: Resources, *, everything: bool = False) -> list[Shown]:
    """One run of the flow, as far as it is about Xero."""
    return [
        stopped_in_xero.show(office, one, way_of(office), flow_run_id="run")
        for one in who_stopped.lay_out(office, everything=everything)
    ]


def members(sandbox: SandboxControl) -> tuple[str, ...]:
    return next(one.contact_ids for one in sandbox.groups() if one.name == GROUP)


def actions(office: Resources) -> list[str]:
    with reading(office.engine) as session:
        return list(session.exec(select(Audit.action)).all())


def calls(sandbox: SandboxControl) -> list[str]:
    return [str(one) for one in sandbox.requests() if "ContactGroups" in str(one)]


def test_a_stop_is_shown_in_xero_and_a_start_takes_it_back(
    office: Resources, sandbox: SandboxControl
) -> None:
    sandbox.add_group(GROUP)
    assert not group_lines.is_due(office.engine, office.clock())
    says(office, sandbox, Consent.OPT_OUT)
    assert group_lines.is_due(office.engine, office.clock())
    assert run(office) == [Shown(added=1)]
    assert members(sandbox) == (cafe(sandbox),)
    assert run(office, everything=True) == [Shown()]
    assert not group_lines.is_due(office.engine, office.clock())
    shown = preferring.show(office, number_of_cafe(office, sandbox), "sms").in_xero
    assert [(one.wanted, one.ours, one.stands) for one in shown] == [(True, True, "done")]

    says(office, sandbox, Consent.OPT_IN)
    assert run(office) == [Shown(removed=1)]
    assert members(sandbox) == ()
    with reading(office.engine) as session:
        found = session.exec(select(XeroEvent).where(XeroEvent.found_by == "mirror_preferences")).all()
    assert [(one.category, one.resource_id, one.state) for one in found] == [
        ("CONTACT", cafe(sandbox), "pending")
    ], "whom the group silenced is decided anew, webhook or not"


@pytest.mark.parametrize("source", [Source.REFUSAL, Source.COMMAND])
def test_what_twilio_refused_and_what_a_person_settled_is_shown_too(
    office: Resources, sandbox: SandboxControl, source: Source
) -> None:
    sandbox.add_group(GROUP)
    says(office, sandbox, Consent.OPT_OUT, source)
    assert run(office) == [Shown(added=1)]


def test_whom_the_bookkeeper_put_there_stays_after_a_start(
    office: Resources, sandbox: SandboxControl
) -> None:
    group = sandbox.add_group(GROUP)
    sandbox.join_group(group.group_id, [cafe(sandbox)])
    says(office, sandbox, Consent.OPT_OUT)
    assert run(office) == [Shown()]
    says(office, sandbox, Consent.OPT_IN)
    assert run(office) == [Shown()]
    assert members(sandbox) == (cafe(sandbox),)


def read_and_note(office: Resources, sandbox: SandboxControl, number: str) -> str:
    """Read the contact anew, as after a webhook; returns what its owner is taken to want then."""
    later(office, 1)
    contact = cafe(sandbox)
    XeroReader(access(office, TENANT, Purpose.POLL)).contacts([contact], since=office.clock())
    with writing(office.engine, office.clock()) as book:
        wishes_in_xero.note(book, TENANT, [contact], office.policy)
    wishes_in_xero.note_all(office)
    with reading(office.engine) as session:
        return wishes.known(session, [number])[number].status


def test_our_own_member_is_no_wish_of_the_bookkeepers_and_one_by_hand_after_the_start_is(
    office: Resources, sandbox: SandboxControl
) -> None:
    group, contact = sandbox.add_group(GROUP), cafe(sandbox)
    number = number_of_cafe(office, sandbox)
    says(office, sandbox, Consent.OPT_OUT)
    run(office)
    assert read_and_note(office, sandbox, number) == Consent.OPT_OUT
    says(office, sandbox, Consent.OPT_IN)
    wishes_in_xero.note_all(office)
    assert run(office) == [Shown(removed=1)]
    wishes_in_xero.note_all(office)  # on the snapshot that still shows our own doing
    assert run(office, everything=True) == [Shown()]
    assert read_and_note(office, sandbox, number) == Consent.OPT_IN
    later(office, 60)
    sandbox.join_group(group.group_id, [contact])
    office.clock.now = max(office.clock.now, datetime.now(UTC))  # type: ignore[attr-defined]  # a hand's clock
    read_and_note(office, sandbox, number)
    assert run(office, everything=True) == [Shown()]
    assert members(sandbox) == (contact,)


def test_what_we_put_there_after_the_start_was_said_opts_nobody_out_again(
    office: Resources, sandbox: SandboxControl
) -> None:
    sandbox.add_group(GROUP)
    number = number_of_cafe(office, sandbox)
    later(office, -120)  # so that Xero dates the change, whose answer is lost, after the START
    says(office, sandbox, Consent.OPT_OUT)
    sandbox.fail_next("drop_after", method="PUT", path="/api.xro/2.0/ContactGroups/*")
    run(office)
    assert members(sandbox) == (cafe(sandbox),)
    says(office, sandbox, Consent.OPT_IN)
    later(office, 120)
    assert read_and_note(office, sandbox, number) == Consent.OPT_IN
    assert run(office) == [Shown(removed=1)]
    assert members(sandbox) == ()
    assert read_and_note(office, sandbox, number) == Consent.OPT_IN


KINDS: tuple[FaultKind, ...] = ("drop_after", "drop_before", "status", "html", "truncate")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_change_whose_answer_was_lost_is_looked_at_again_and_is_ours(
    office: Resources, sandbox: SandboxControl, method: str, kind: FaultKind
) -> None:
    sandbox.add_group(GROUP)
    says(office, sandbox, Consent.OPT_OUT)
    if method == "DELETE":
        run(office)
        says(office, sandbox, Consent.OPT_IN)
    sandbox.fail_next(kind, method=method, path="/api.xro/2.0/ContactGroups/*", status=503)
    run(office)
    assert run(office) == []
    later(office, 45)
    run(office)
    assert len(members(sandbox)) == (method == "PUT")
    says(office, sandbox, Consent.OPT_IN)
    run(office)
    assert members(sandbox) == ()


def test_a_missing_group_is_said_once_not_made_and_found_when_it_is_there(
    office: Resources, sandbox: SandboxControl
) -> None:
    says(office, sandbox, Consent.OPT_OUT)
    assert run(office) == [Shown(waiting=1)]
    assert run(office) == []
    assert run(office, everything=True) == [Shown(waiting=1)]
    assert all(one.name != GROUP for one in sandbox.groups())
    assert actions(office).count("contact group cannot be written") == 1
    (finding,) = doctor_groups.look(office)
    assert not finding.sound
    assert "has no contact group 'No SMS'" in finding.said
    assert "1 wait" in finding.said
    sandbox.add_group(GROUP)
    assert run(office, everything=True) == [Shown(added=1)]
    assert actions(office).count("contact group is written again") == 1
    (finding,) = doctor_groups.look(office)
    assert finding.sound


def test_an_app_that_may_not_write_contacts_still_reads_and_says_so_once(
    office: Resources, sandbox: SandboxControl
) -> None:
    sandbox.add_group(GROUP)
    sandbox.app_scopes(" ".join(SCOPES))
    way = access(office, TENANT, Purpose.POLL)
    way.refresh(over=office.clock())
    says(office, sandbox, Consent.OPT_OUT)
    assert run(office) == [Shown(waiting=1)]
    later(office, 1)
    assert run(office, everything=True) == [Shown(waiting=1)]
    assert way.ask(way.client.organisation).name
    assert actions(office).count("contact group cannot be written") == 1
    (finding,) = doctor_groups.look(office)
    assert "accounting.contacts" in finding.said
    sandbox.app_scopes(" ".join((*SCOPES, WRITES_CONTACTS)))
    later(office, 1)
    assert run(office, everything=True) == [Shown(added=1)]


def test_xeros_own_word_that_the_scope_is_missing_is_heeded(
    office: Resources, sandbox: SandboxControl
) -> None:
    sandbox.add_group(GROUP)
    sandbox.app_scopes(" ".join(SCOPES))
    access(office, TENANT, Purpose.POLL).refresh(over=office.clock())
    with office.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE token_set SET scopes = ''")
    says(office, sandbox, Consent.OPT_OUT)
    assert run(office) == [Shown(waiting=1)]
    with reading(office.engine) as session:
        assert "accounting.contacts" in group_lines.why_off(session, TENANT)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_user_whose_role_may_not_change_contacts_closes_nothing_and_doctor_says_so(
    office: Resources, sandbox: SandboxControl, method: str
) -> None:
    sandbox.add_group(GROUP)
    says(office, sandbox, Consent.OPT_OUT)
    if method == "DELETE":
        run(office)
        says(office, sandbox, Consent.OPT_IN)
    for _ in range(2):
        sandbox.fail_next("status", method=method, path="/api.xro/2.0/ContactGroups/*", status=403)
        assert run(office, everything=True) == [Shown(waiting=1)]
    assert tenants.get(office.engine, TENANT).state == "connected"
    assert actions(office).count("contact group cannot be written") == 1
    (finding,) = doctor_groups.look(office)
    assert "the role in Xero of the user who connected it" in finding.said
    assert run(office, everything=True) == [Shown(added=method == "PUT", removed=method == "DELETE")]
    assert doctor_groups.look(office)[0].sound


def test_an_organisation_that_is_found_closed_here_waits_and_is_seen_at_the_next_poll(
    office: Resources, sandbox: SandboxControl
) -> None:
    sandbox.add_group(GROUP)
    says(office, sandbox, Consent.OPT_OUT)
    sandbox.disconnect()
    assert run(office) == [Shown(waiting=1)]
    assert polling.choose(office, None).closed == (TENANT,)


def test_without_the_policys_line_nothing_is_asked_and_what_was_said_is_shown_once_it_is_there(
    office: Resources, sandbox: SandboxControl
) -> None:
    sandbox.add_group(GROUP)
    policy = office.settings.policy
    policy.write_text("[preferences]\nmirror_to_twilio = true\n")
    says(office, sandbox, Consent.OPT_OUT)
    assert run(office, everything=True) == []
    assert doctor_groups.look(office) == []
    assert calls(sandbox) == []
    policy.write_text(POLICY)
    assert run(office) == [Shown(added=1)]
    policy.write_text(POLICY.replace(f'write_back_group = "{GROUP}"', 'write_back_group = "Other"'))
    run(office, everything=True)
    assert members(sandbox) == (cafe(sandbox),), "what stands in a group that is named no more is left alone"


def test_a_stop_and_a_start_before_anything_was_shown_ask_nothing_but_a_look(
    office: Resources, sandbox: SandboxControl
) -> None:
    sandbox.add_group(GROUP)
    says(office, sandbox, Consent.OPT_OUT)
    who_stopped.lay_out(office, everything=False)
    says(office, sandbox, Consent.OPT_IN)
    assert run(office) == [Shown()]
    assert not [one for one in calls(sandbox) if "PUT" in one or "DELETE" in one]


def test_one_contact_that_xero_does_not_take_holds_up_no_other(
    office: Resources, sandbox: SandboxControl
) -> None:
    sandbox.add_group(GROUP)
    says(office, sandbox, Consent.OPT_OUT)
    number = number_of_cafe(office, sandbox)
    who_stopped.lay_out(office, everything=False)
    with writing(office.engine, office.clock()) as book:
        row = group_lines.held(book.session, TENANT, GROUP)[0]
        unknown = GroupLine(tenant_id=TENANT, contact_id=UNKNOWN, group_name=GROUP, address=row.address,
                            wanted=True, stands="owed", next_at=book.now)  # fmt: skip
        book.session.add(unknown)
    (shown,) = [stopped_in_xero.show(office, TENANT, way_of(office), flow_run_id=None)]
    assert shown == Shown(added=1, waiting=1)
    states = {one.contact_id: one.stands for one in preferring.show(office, number, "sms").in_xero}
    assert states[cafe(sandbox)] == "done"
    assert set(states.values()) == {"done", "refused"}


def test_two_runs_at_once_leave_one_group_to_one_of_them(office: Resources, sandbox: SandboxControl) -> None:
    sandbox.add_group(GROUP)
    says(office, sandbox, Consent.OPT_OUT)
    who_stopped.lay_out(office, everything=False)
    with writing(office.engine, office.clock()) as book:
        assert group_lines.take_lease(book, TENANT)
    assert not group_lines.is_due(office.engine, office.clock())
    assert stopped_in_xero.show(office, TENANT, way_of(office), flow_run_id=None) == Shown()
    assert members(sandbox) == ()
    later(office, 601)
    assert run(office) == [Shown(added=1)]
