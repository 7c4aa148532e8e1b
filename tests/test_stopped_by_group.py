"""Our own opt-out for a contact group of Xero is nobody's STOP, and reaches no other customer of a number."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from sqlalchemy import Engine

from deployments import doctor_mirror
from duebell.ledger import consent_lines, preferences, snapshots, wishes
from duebell.ledger.engine import reading
from duebell.ledger.receipts import NewReceipt, keep_receipt
from duebell.ledger.writing import writing
from duebell.preferences import consents_told, preferring, wishes_in_xero
from duebell.preferences.mirroring import Consent, Source, Wish
from duebell.resources import Resources
from duebell.showing.reporting import in_words
from duebell.xero.parse import parse_contact_body
from tests.support_facts import (
    CONTACT,
    ENVIRONMENT,
    MINUTE,
    MOBILE,
    NOW,
    OTHER_CONTACT,
    OTHER_TENANT,
    TENANT,
    Hand,
    keep_contact,
    open_tenant,
    resources_over,
    sent_off,
    sid,
    the_notification,
)
from tests.test_stop_ends import BOTH, MAIN, PERSON, Blocked, office_of

GROUP = "Wants no texts"
PREFERENCES = f'[preferences]\nmirror_to_twilio = true\nno_messages_groups = ["{GROUP}"]\n'
OWN, OTHERS = ENVIRONMENT["TWILIO_FROM"], "MG" + "2" * 32


class Consents:
    """Twilio's Consent API, which takes all and keeps what it was told last."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/Consents/Bulk")
        items = [json.loads(one) for one in parse_qs(request.content.decode())["Items"]]
        self.held |= {(one["contact_id"], one["sender_id"]): one["status"] for one in items}
        told = [{"correlation_id": one["correlation_id"], "error_code": 0} for one in items]
        return httpx.Response(201, json={"items": told})


@pytest.fixture
def twilio() -> Consents:
    return Consents()


@pytest.fixture
def desk(ledger: Engine, tmp_path: Path, twilio: Consents) -> Resources:
    (tmp_path / "policy.toml").write_text(PREFERENCES)
    open_tenant(ledger)
    return resources_over(ledger, Hand(), twilio=twilio, DUEBELL_POLICY=str(tmp_path / "policy.toml"))


def is_read(
    desk: Resources, contact_id: str, groups: Sequence[str], tenant_id: str = TENANT, **fields: Any
) -> None:
    """The contact is read as Xero has it now, and what it says of its owner's wish is noted."""
    assert isinstance(desk.clock, Hand)
    desk.clock.now += MINUTE
    now = desk.clock.now
    body = json.dumps(
        {
            "ContactID": contact_id,
            "ContactStatus": "ACTIVE",
            "Phones": [{"PhoneType": "MOBILE", "PhoneNumber": MOBILE}],
            "ContactGroups": [{"Name": one} for one in groups],
            "UpdatedDateUTC": f"/Date({int(now.timestamp() * 1000)}+0000)/",
        }
        | fields
    )
    snapshots.save_contacts(desk.engine, tenant_id, [(parse_contact_body(body), body)], read_at=now)
    with writing(desk.engine, now) as book:
        wishes_in_xero.note(book, tenant_id, [contact_id], desk.policy)


def tells(desk: Resources, *, everything: bool = False) -> None:
    for batch in consents_told.lay_out(desk, everything=everything):
        consents_told.post(desk, batch, flow_run_id=None)


def refused(desk: Resources, number: int = 1) -> None:
    """Twilio refuses a message to the number, as it does to whom it holds an opt-out of."""
    assert isinstance(desk.clock, Hand)
    desk.clock.now += MINUTE
    attempt = f"a{number}"
    sent_off(desk.engine, number, attempt, now=desk.clock.now)
    receipt = NewReceipt(sid(number), "failed", 21610, attempt, "{}")
    keep_receipt(desk.engine, receipt, now=desk.clock.now)


def stands(desk: Resources) -> tuple[dict[str, str], Wish | None]:
    with reading(desk.engine) as session:
        return preferences.refusals(session, [MOBILE]), wishes.known(session, [MOBILE]).get(MOBILE)


def test_our_own_opt_out_that_comes_back_as_a_refusal_is_nobodys_stop(
    desk: Resources, twilio: Consents
) -> None:
    is_read(desk, CONTACT, [GROUP])
    tells(desk)
    assert twilio.held == {(MOBILE, OWN): "opt-out"}
    refused(desk)
    refusals, wish = stands(desk)
    assert refusals == {}
    assert wish is not None
    assert (wish.source, wish.tenants) == (Source.XERO, {TENANT})
    reason = the_notification(desk.engine).reason
    assert reason == f"group_at_twilio:contact {CONTACT}"
    assert in_words(reason) == (
        "Twilio blocks this number because of a contact's group in Xero, of which Duebell told it: "
        f"`duebell preference show` says how to take that back (contact {CONTACT})"
    )


def test_a_stop_at_a_sender_that_we_told_nothing_is_the_persons_own(desk: Resources) -> None:
    is_read(desk, CONTACT, [GROUP])
    refused(desk)
    refusals, wish = stands(desk)
    assert refusals == {MOBILE: "opted_out"}
    assert wish is not None
    assert (wish.source, wish.tenants) == (Source.REFUSAL, frozenset())
    assert the_notification(desk.engine).reason == "twilio:21610"


def test_the_next_channel_takes_what_twilio_refuses_for_a_group(ledger: Engine, tmp_path: Path) -> None:
    office = office_of(ledger, tmp_path, PREFERENCES, BOTH, Blocked())
    with writing(ledger, office.clock.now) as book:
        wish = Wish(Consent.OPT_OUT, Source.XERO, book.now, f"xero:contact {OTHER_CONTACT}",
                    tenants=frozenset({TENANT}))  # fmt: skip
        wishes.said(book, MOBILE, wish)
        consent_lines.lay_out(book, [MOBILE], lambda _address, _wish: frozenset({OWN}), OWN)
    with reading(ledger) as session:
        due = consent_lines.due(session, office.clock.now, {OWN}, 25)
    with writing(ledger, office.clock.now) as book:
        assert len(consent_lines.claim(book, due, lambda: "c" * 32)) == 1
    office.day()
    reason = f"next_channel:group_at_twilio:contact {OTHER_CONTACT}"
    assert ("1", "overdue", "planned", reason) in office.stands()
    office.nets()
    assert sorted(to for to, _ in office.phones.heard) == [MAIN, PERSON]
    with reading(ledger) as session:
        assert preferences.refusals(session, [MOBILE]) == {}


def test_a_number_that_another_customer_has_is_not_opted_out_for_one_contacts_group(
    desk: Resources, twilio: Consents
) -> None:
    is_read(desk, OTHER_CONTACT, [])
    is_read(desk, CONTACT, [GROUP])
    tells(desk)
    assert twilio.held == {}
    is_read(desk, OTHER_CONTACT, [GROUP])
    tells(desk, everything=True)
    assert twilio.held == {(MOBILE, OWN): "opt-out"}, "both are in the group"


def test_who_else_has_the_number_is_asked_once_more_when_that_contact_is_closed(
    desk: Resources, twilio: Consents
) -> None:
    is_read(desk, OTHER_CONTACT, [])
    is_read(desk, CONTACT, [GROUP])
    tells(desk)
    is_read(desk, OTHER_CONTACT, [], ContactStatus="ARCHIVED")
    tells(desk, everything=True)
    assert twilio.held == {(MOBILE, OWN): "opt-out"}


@pytest.mark.parametrize(("sender", "told"), [("", {}), (OTHERS, {(MOBILE, OWN): "opt-out"})])
def test_one_firms_group_stops_no_customer_of_another_firm_at_a_sender_of_both(
    desk: Resources, twilio: Consents, sender: str, told: dict[tuple[str, str], str]
) -> None:
    policy = desk.settings.policy
    policy.write_text(f'{PREFERENCES}[tenant."{OTHER_TENANT}".sending]\nsender = "{sender}"\n')
    open_tenant(desk.engine, OTHER_TENANT)
    is_read(desk, OTHER_CONTACT, [], OTHER_TENANT)
    is_read(desk, CONTACT, [GROUP])
    tells(desk)
    assert twilio.held == told


def test_who_is_taken_out_of_the_group_before_twilio_was_told_is_not_opted_out_there(
    desk: Resources, twilio: Consents
) -> None:
    is_read(desk, CONTACT, [GROUP])
    consents_told.lay_out(desk, everything=False)
    is_read(desk, CONTACT, [])
    tells(desk)
    assert twilio.held == {}
    assert doctor_mirror.look(desk)[0].said.startswith("Twilio knows 0, and 0 are still to be told")
    is_read(desk, CONTACT, [GROUP])
    tells(desk)
    assert twilio.held == {(MOBILE, OWN): "opt-out"}


def test_who_is_taken_out_of_the_group_stays_opted_out_and_doctor_says_so_until_it_is_taken_back(
    desk: Resources, twilio: Consents
) -> None:
    is_read(desk, CONTACT, [GROUP])
    tells(desk)
    assert all(one.sound for one in doctor_mirror.look(desk))
    is_read(desk, CONTACT, [])
    tells(desk, everything=True)
    assert twilio.held == {(MOBILE, OWN): "opt-out"}, "a change in Xero opts nobody in"
    [_, finding] = doctor_mirror.look(desk)
    assert not finding.sound
    assert "preference allow" in finding.said
    assert CONTACT in finding.said
    assert MOBILE not in finding.said
    [shown] = preferring.show(desk, MOBILE, "sms").by_group
    assert (shown.senders, shown.contact_id, shown.is_left) == ((OWN,), CONTACT, True)

    assert isinstance(desk.clock, Hand)
    desk.clock.now += timedelta(hours=1)
    preferring.allow(desk, MOBILE, "sms", by="person:anna", why="rang, and wants them")
    tells(desk)
    assert twilio.held == {(MOBILE, OWN): "opt-in"}
    assert all(one.sound for one in doctor_mirror.look(desk))
    assert preferring.show(desk, MOBILE, "sms").by_group == ()


def test_doctor_says_where_a_number_that_was_opted_out_for_a_group_is_another_customers_by_now(
    desk: Resources,
) -> None:
    is_read(desk, CONTACT, [GROUP])
    tells(desk)
    keep_contact(desk.engine, OTHER_CONTACT, read_at=NOW + MINUTE)
    [_, finding] = doctor_mirror.look(desk)
    assert not finding.sound
    assert "another customer" in finding.said
