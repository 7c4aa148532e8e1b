"""A contact or number that a provider cannot serve holds up nobody else, and doctor says so in time."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest
from sqlalchemy import Engine, update

from deployments import doctor_groups, doctor_mirror
from deployments.sandbox.control import SandboxControl
from duebell.books.calls import Purpose
from duebell.books.reading import XeroReader
from duebell.ledger import tenants, wishes
from duebell.ledger.engine import reading
from duebell.ledger.tables import ConsentWish
from duebell.ledger.writing import writing
from duebell.preferences import consents_told, who_stopped
from duebell.preferences.consents_told import Told
from duebell.preferences.mirroring import Consent, Source, Wish
from duebell.preferences.stopped_in_xero import Shown
from duebell.resources import Resources
from tests import test_stopped_in_xero as in_xero
from tests.support_facts import Hand, resources_over
from tests.test_stopped_in_xero import GROUP, TENANT, access, later, members, run

running, sandbox, office = in_xero.running, in_xero.sandbox, in_xero.office
TO_GROUP = "/api.xro/2.0/ContactGroups/*"


def customers(office: Resources, sandbox: SandboxControl, count: int) -> list[str]:
    """So many customers, each with a number of their own, in the order in which Xero is asked."""
    made = [sandbox.add_contact(f"C{one}", mobile=("64", "21", f"55500{one:02}")) for one in range(count)]
    ids = sorted(one.contact_id for one in made)
    XeroReader(access(office, TENANT, Purpose.POLL)).contacts(ids, since=office.clock())
    return ids


def say(office: Resources, contact_ids: Sequence[str], status: Consent) -> None:
    later(office, 1)
    (tenant,) = tenants.connected(office.engine)
    with reading(office.engine) as session:
        numbers = who_stopped.numbers(session, tenant)
    with writing(office.engine, office.clock()) as book:
        for number in sorted(numbers[one] for one in contact_ids):
            wishes.said(book, number, Wish(status, Source.WORD, book.now))


def test_a_contact_that_xero_cannot_take_out_holds_up_no_other_and_doctor_says_so_after_a_day(
    office: Resources, sandbox: SandboxControl
) -> None:
    group = sandbox.add_group(GROUP)
    ids = customers(office, sandbox, 3)
    say(office, ids, Consent.OPT_OUT)
    assert run(office) == [Shown(added=3)]
    say(office, ids, Consent.OPT_IN)
    path = f"/api.xro/2.0/ContactGroups/{group.group_id}/Contacts/{ids[0]}"
    sandbox.fail_next("status", method="DELETE", path=path, status=500, times=50)
    assert run(office) == [Shown(removed=2, waiting=1)]
    assert members(sandbox) == (ids[0],)
    [finding] = doctor_groups.look(office)
    assert finding.sound
    with writing(office.engine, office.clock()) as book:
        book.session.exec(update(ConsentWish).values(wished_at=book.now - timedelta(days=1, minutes=1)))
    [finding] = doctor_groups.look(office)
    assert not finding.sound
    assert "1 of them for more than a day" in finding.said
    assert ids[0] in finding.said
    sandbox.clear_faults()
    assert run(office, everything=True) == [Shown(removed=1)]
    [finding] = doctor_groups.look(office)
    assert finding.sound


def test_contacts_that_xero_cannot_put_in_together_are_put_in_by_halves(
    office: Resources, sandbox: SandboxControl
) -> None:
    sandbox.add_group(GROUP)
    ids = customers(office, sandbox, 4)
    say(office, ids, Consent.OPT_OUT)
    sandbox.fail_next("status", method="PUT", path=TO_GROUP, status=500, times=3)
    assert run(office) == [Shown(added=3, waiting=1)], "of four, two and one"
    assert set(members(sandbox)) == set(ids[1:])
    later(office, 60)
    assert run(office) == [Shown(added=1)]


def test_where_xero_serves_none_it_is_asked_a_few_times_and_all_wait(
    office: Resources, sandbox: SandboxControl
) -> None:
    sandbox.add_group(GROUP)
    ids = customers(office, sandbox, 30)
    say(office, ids, Consent.OPT_OUT)
    sandbox.fail_next("status", method="PUT", path=TO_GROUP, status=500, times=100)
    assert run(office) == [Shown(waiting=30)]
    assert len([one for one in in_xero.calls(sandbox) if "PUT" in one]) == 8
    assert run(office) == []
    sandbox.clear_faults()
    later(office, 600)
    assert run(office) == [Shown(added=30)]


class Twilio:
    """The Consent API, which fails as a whole for a post with one of these numbers in it."""

    def __init__(self, bad: Sequence[str], status: int) -> None:
        self.bad, self.status = set(bad), status
        self.held: set[str] = set()
        self.posts = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.posts += 1
        items = [json.loads(one) for one in parse_qs(request.content.decode())["Items"]]
        numbers = {one["contact_id"] for one in items}
        if numbers & self.bad:
            return httpx.Response(self.status, json={"code": 20001})
        self.held |= numbers
        told = [{"correlation_id": one["correlation_id"], "error_code": 0} for one in items]
        return httpx.Response(201, json={"items": told})


NUMBERS = [f"+642112345{number:02}" for number in range(25)]


def desk_with(ledger: Engine, folder: Path, twilio: Twilio) -> Resources:
    """All of these numbers stopped, and Twilio is to hear of it."""
    (folder / "policy.toml").write_text("[preferences]\nmirror_to_twilio = true\n")
    clock = Hand()
    with writing(ledger, clock()) as book:
        for number in NUMBERS:
            wishes.said(book, number, Wish(Consent.OPT_OUT, Source.WORD, book.now))
    return resources_over(ledger, clock, twilio=twilio, DUEBELL_POLICY=str(folder / "policy.toml"))


def tells(desk: Resources) -> Told:
    batches = consents_told.lay_out(desk, everything=False)
    return sum((consents_told.post(desk, batch, flow_run_id=None) for batch in batches), Told())


@pytest.mark.parametrize(
    ("status", "came"), [(500, Told(taken=24, waiting=1)), (400, Told(taken=24, refused=1))]
)
@pytest.mark.parametrize("bad", [0, 11, 24])
def test_a_consent_for_which_twilio_fails_holds_up_no_other_of_its_post(
    ledger: Engine, tmp_path: Path, status: int, came: Told, bad: int
) -> None:
    twilio = Twilio([NUMBERS[bad]], status)
    assert tells(desk_with(ledger, tmp_path, twilio)) == came
    assert twilio.held == {*NUMBERS} - {NUMBERS[bad]}


def test_where_twilio_serves_none_it_is_asked_a_few_times_and_doctor_says_so_after_a_day(
    ledger: Engine, tmp_path: Path
) -> None:
    twilio = Twilio(NUMBERS, 503)
    desk = desk_with(ledger, tmp_path, twilio)
    assert tells(desk) == Told(waiting=25)
    assert twilio.posts == 12
    assert all(one.sound for one in doctor_mirror.look(desk))
    assert isinstance(desk.clock, Hand)
    desk.clock.now += timedelta(days=1, minutes=1)
    [finding] = [one for one in doctor_mirror.look(desk) if not one.sound]
    assert "25 of them for more than a day" in finding.said
    twilio.bad = set()
    assert tells(desk) == Told(taken=25)
    assert all(one.sound for one in doctor_mirror.look(desk))
