"""The group that shows who stopped is renamed, in Xero and in the policy: START takes out whom we put in."""

from sqlmodel import select

from deployments.sandbox.control import SandboxControl
from duebell.ledger.engine import reading
from duebell.ledger.tables import GroupLine, WriteBack
from duebell.preferences import preferring
from duebell.preferences.mirroring import Consent
from duebell.preferences.stopped_in_xero import Shown
from duebell.resources import Resources
from tests import test_stopped_in_xero as usual
from tests.test_stopped_in_xero import (
    GROUP,
    POLICY,
    TENANT,
    actions,
    cafe,
    later,
    number_of_cafe,
    read_and_note,
    run,
    says,
)

running, sandbox, office = usual.running, usual.sandbox, usual.office

NEW = "No messages"


def names(office: Resources, name: str = NEW) -> None:
    """The policy names a group."""
    office.settings.policy.write_text(POLICY.replace(f'"{GROUP}"', f'"{name}"'))


def renamed(office: Resources, sandbox: SandboxControl) -> None:
    """The group of the policy is renamed, in Xero and in the policy."""
    sandbox.rename_group(next(one.group_id for one in sandbox.groups() if one.name == GROUP), NEW)
    names(office)


def members(sandbox: SandboxControl, name: str = NEW) -> tuple[str, ...]:
    return next(one.contact_ids for one in sandbox.groups() if one.name == name)


def lines(office: Resources) -> list[tuple[str, bool, bool, str]]:
    with reading(office.engine) as session:
        rows = session.exec(select(GroupLine).order_by("group_name")).all()
    return [(row.group_name, row.wanted, row.ours, row.stands) for row in rows]


def put_in(office: Resources, sandbox: SandboxControl) -> None:
    sandbox.add_group(GROUP)
    says(office, sandbox, Consent.OPT_OUT)
    assert run(office) == [Shown(added=1)]


def test_whom_we_put_in_before_is_taken_out_by_a_start_after(
    office: Resources, sandbox: SandboxControl
) -> None:
    put_in(office, sandbox)
    renamed(office, sandbox)
    assert run(office, everything=True) == [Shown()]
    assert lines(office) == [(NEW, True, True, "done")]
    assert actions(office).count("contact group renamed") == 1
    says(office, sandbox, Consent.OPT_IN)
    assert run(office) == [Shown(removed=1)]
    assert members(sandbox) == ()
    assert run(office, everything=True) == [Shown()]


def test_a_start_that_comes_before_anybody_looked_under_the_new_name_is_heeded_at_once(
    office: Resources, sandbox: SandboxControl
) -> None:
    put_in(office, sandbox)
    renamed(office, sandbox)
    says(office, sandbox, Consent.OPT_IN)
    assert run(office) == [Shown(removed=1)]
    assert members(sandbox) == ()


def test_a_start_before_the_policy_follows_is_heeded_once_it_does(
    office: Resources, sandbox: SandboxControl
) -> None:
    put_in(office, sandbox)
    sandbox.rename_group(next(one.group_id for one in sandbox.groups() if one.name == GROUP), NEW)
    says(office, sandbox, Consent.OPT_IN)
    assert run(office) == [Shown(waiting=1)]
    names(office)
    assert run(office) == [Shown(removed=1)]
    assert members(sandbox) == ()


def test_whom_the_bookkeeper_put_in_before_stays_after_a_start(
    office: Resources, sandbox: SandboxControl
) -> None:
    sandbox.join_group(sandbox.add_group(GROUP).group_id, [cafe(sandbox)])
    says(office, sandbox, Consent.OPT_OUT)
    assert run(office) == [Shown()]
    renamed(office, sandbox)
    says(office, sandbox, Consent.OPT_IN)
    run(office)
    assert run(office, everything=True) == [Shown()]
    assert members(sandbox) == (cafe(sandbox),)


def test_our_own_member_is_no_wish_of_the_bookkeepers_under_the_new_name_either(
    office: Resources, sandbox: SandboxControl
) -> None:
    number = number_of_cafe(office, sandbox)
    later(office, -600)  # so that Xero dates the membership after the START
    put_in(office, sandbox)
    renamed(office, sandbox)
    says(office, sandbox, Consent.OPT_IN)
    later(office, 700)
    assert read_and_note(office, sandbox, number) == Consent.OPT_IN
    assert run(office) == [Shown(removed=1)]
    assert read_and_note(office, sandbox, number) == Consent.OPT_IN


def test_another_group_that_the_policy_names_is_begun_anew(
    office: Resources, sandbox: SandboxControl
) -> None:
    put_in(office, sandbox)
    sandbox.join_group(sandbox.add_group(NEW).group_id, [cafe(sandbox)])
    names(office)
    assert run(office, everything=True) == [Shown()]
    assert set(lines(office)) == {(NEW, True, False, "done"), (GROUP, True, True, "done")}
    says(office, sandbox, Consent.OPT_IN)
    assert run(office) == [Shown()]
    assert members(sandbox) == members(sandbox, GROUP) == (cafe(sandbox),)
    names(office, GROUP)
    assert run(office) == [Shown(removed=1)]
    assert members(sandbox, GROUP) == ()


def test_a_line_from_before_ids_were_kept_has_its_own_as_soon_as_the_group_is_looked_at(
    office: Resources, sandbox: SandboxControl
) -> None:
    put_in(office, sandbox)
    with office.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE write_back SET group_name = '', group_id = ''")
    assert run(office, everything=True) == [Shown()]
    with reading(office.engine) as session:
        known = session.get_one(WriteBack, TENANT)
        assert (known.group_name, known.group_id) == (GROUP, sandbox.groups()[-1].group_id)
    renamed(office, sandbox)
    says(office, sandbox, Consent.OPT_IN)
    assert run(office) == [Shown(removed=1)]


def test_while_xero_does_not_answer_the_lines_stay_as_they_are(
    office: Resources, sandbox: SandboxControl
) -> None:
    put_in(office, sandbox)
    renamed(office, sandbox)
    says(office, sandbox, Consent.OPT_IN)
    sandbox.fail_next("status", path="/api.xro/2.0/ContactGroups", status=503)
    assert run(office) == [Shown()]
    assert [
        one.wanted for one in preferring.show(office, number_of_cafe(office, sandbox), "sms").in_xero
    ] == [False]
    assert run(office) == [Shown(removed=1)]
