"""Whom a START takes out of the group in Xero is known to be out of it, also where Xero's answer was lost."""

from sqlmodel import select

from deployments.sandbox.control import SandboxControl
from duebell.ledger import wishes
from duebell.ledger.engine import reading
from duebell.ledger.tables import XeroEvent
from duebell.preferences import wishes_in_xero
from duebell.preferences.mirroring import Consent
from duebell.preferences.stopped_in_xero import Shown
from duebell.resources import Resources
from tests import test_stopped_in_xero as usual
from tests.test_stopped_in_xero import (
    GROUP,
    cafe,
    later,
    members,
    number_of_cafe,
    read_and_note,
    run,
    says,
)

running, sandbox, office = usual.running, usual.sandbox, usual.office


def taken_out_without_an_answer(office: Resources, sandbox: SandboxControl) -> None:
    """After a START a contact is taken out that we put in, and nobody hears of it until the next look."""
    sandbox.fail_next("drop_after", method="DELETE", path="/api.xro/2.0/ContactGroups/*")
    run(office)
    later(office, 45)
    run(office)
    assert members(sandbox) == ()


def read_anew(office: Resources) -> list[str]:
    """The contacts that are to be read anew because of us."""
    with reading(office.engine) as session:
        found = session.exec(select(XeroEvent).where(XeroEvent.found_by == "mirror_preferences")).all()
    return [one.resource_id for one in found]


def test_who_was_silenced_by_the_group_is_decided_anew(office: Resources, sandbox: SandboxControl) -> None:
    sandbox.add_group(GROUP)
    says(office, sandbox, Consent.OPT_OUT)
    run(office)
    assert read_anew(office) == []
    says(office, sandbox, Consent.OPT_IN)
    taken_out_without_an_answer(office, sandbox)
    assert read_anew(office) == [cafe(sandbox)]
    run(office, everything=True)
    assert read_anew(office) == [cafe(sandbox)]


def test_what_was_read_while_we_had_them_there_opts_nobody_out_again(
    office: Resources, sandbox: SandboxControl
) -> None:
    sandbox.add_group(GROUP)
    number = number_of_cafe(office, sandbox)
    later(office, -120)  # so that Xero dates the membership after the START
    says(office, sandbox, Consent.OPT_OUT)
    run(office)
    says(office, sandbox, Consent.OPT_IN)
    later(office, 120)
    assert read_and_note(office, sandbox, number) == Consent.OPT_IN
    taken_out_without_an_answer(office, sandbox)
    wishes_in_xero.note_all(office)
    with reading(office.engine) as session:
        assert wishes.known(session, [number])[number].status == Consent.OPT_IN


def test_a_request_whose_answer_was_lost_is_ours_also_where_the_next_one_was_refused(
    office: Resources, sandbox: SandboxControl
) -> None:
    group = sandbox.add_group(GROUP)
    says(office, sandbox, Consent.OPT_OUT)
    sandbox.fail_next("drop_before", method="PUT", path="/api.xro/2.0/ContactGroups/*")
    run(office)
    later(office, 45)
    sandbox.fail_next("status", method="PUT", path="/api.xro/2.0/ContactGroups/*", status=400)
    assert run(office) == [Shown(waiting=1)]
    sandbox.join_group(group.group_id, [cafe(sandbox)])  # Xero has worked on the first request until now
    later(office, 60)
    assert run(office, everything=True) == [Shown()]
    says(office, sandbox, Consent.OPT_IN)
    assert run(office) == [Shown(removed=1)]
    assert members(sandbox) == ()
