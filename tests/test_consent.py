"""Connecting in the browser, from the command to the first sync, over HTTP against the sandbox's Xero."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from deployments.receiver.parts import ReceiverParts
from deployments.sandbox import credentials
from deployments.sandbox.company import COMPANY_NAME
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.server import running_sandbox
from duebell import tokens
from duebell.books.access import XeroAccess, unpaced
from duebell.books.calls import Purpose
from duebell.clock import system_clock
from duebell.errors import ReconnectNeeded
from duebell.ledger import tenants
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit, Consent, InvoiceSnapshot, Notification, TokenSet
from duebell.settings import load
from duebell.xero.identity import CONSENT_SCOPES
from tests.support_consent import OTHER, OTHER_NAME, OTHER_PERSON, Newcomer, Person, newcomer
from tests.support_facts import counted
from tests.support_receiver import FakePrefect, serving

MOA = credentials.TENANT_ID
BOTH = (MOA, OTHER)


@pytest.fixture(scope="module")
def sandbox() -> Generator[SandboxControl]:
    with running_sandbox() as control:
        yield control


@pytest.fixture
def office(sandbox: SandboxControl, sqlite_ledger: Engine, tmp_path: Path) -> Generator[Newcomer]:
    with newcomer(sandbox, sqlite_ledger, tmp_path / "home") as opened:
        yield opened


def asks_xero(office: Newcomer, tenant_id: str) -> str:
    """The organisation's name, asked of Xero with the tokens that the tenant rests on."""
    resources = office.resources()
    access = XeroAccess(resources, tenant_id, unpaced, "test", Purpose.DOCTOR)
    try:
        return access.ask(access.client.organisation).name
    finally:
        resources.close()


def token_sets(office: Newcomer) -> dict[str, str]:
    with reading(office.engine) as session:
        return {row.token_set_id: row.state for row in session.exec(select(TokenSet)).all()}


def test_a_newcomer_is_connected_with_one_command_and_nothing_old_is_told(office: Newcomer) -> None:
    person = Person()
    done = office.run(person)
    assert done.exit_code == 0, done.output
    assert f"{COMPANY_NAME}: connected; 9 invoices read; old ones stay untold" in done.output
    assert "in review and sends nothing" in done.output
    assert (office.tenant().state, office.tenant().synced_at is not None) == ("connected", True)
    kept = office.token_set()
    assert set(kept.scopes.split()) == set(CONSENT_SCOPES)
    assert kept.consented_at is not None
    assert counted(office.engine, InvoiceSnapshot) == 9
    assert counted(office.engine, Notification) == 0
    assert asks_xero(office, MOA) == COMPANY_NAME


def test_the_page_s_address_is_told_in_one_piece_and_holds_what_xero_wants(office: Newcomer) -> None:
    person = Person()
    done = office.run(person)
    assert person.asked[0] in done.output.splitlines()
    asked = dict(httpx.URL(person.asked[0]).params)
    assert httpx.URL(person.asked[0]).path == "/identity/connect/authorize"
    assert asked.pop("state")
    assert len(asked.pop("code_challenge")) == 43
    assert asked == {
        "response_type": "code",
        "client_id": credentials.XERO_CLIENT_ID,
        "redirect_uri": f"{office.environment['DUEBELL_PUBLIC_URL']}/xero/callback",
        "scope": "offline_access accounting.invoices.read accounting.contacts.read accounting.settings.read "
        "accounting.payments.read",
        "code_challenge_method": "S256",
    }


def test_without_a_screen_the_address_is_told_and_no_browser_is_opened(office: Newcomer) -> None:
    opened: list[str] = []
    office.patch.delenv("DISPLAY", raising=False)
    office.patch.delenv("WAYLAND_DISPLAY", raising=False)
    office.patch.setattr("webbrowser.open", opened.append)
    office.patch.setattr("duebell.connecting.consent.OPEN_FOR", timedelta(seconds=0.1))
    done = office.command("connect")
    assert (done.exit_code, opened) == (1, [])
    assert "/identity/connect/authorize?" in done.output
    assert "no answer came within" in done.output


def test_the_receiver_takes_the_answer_where_it_runs(office: Newcomer) -> None:
    settings = load(office.environment, env_file=None)
    receiver = ReceiverParts(settings, office.engine, system_clock, FakePrefect().place())
    person = Person()
    with serving(receiver):
        done = office.run(person)
    assert done.exit_code == 0, done.output
    assert "no receiver runs" not in done.output
    assert person.pages[0].status_code == 200
    assert office.standing() == {MOA: "connected"}


def test_another_program_at_the_receiver_s_address_is_named(office: Newcomer) -> None:
    place = office.sandbox.base_url.removeprefix("http://")
    done = office.run(Person(), DUEBELL_LISTEN=place)
    assert done.exit_code == 1
    assert "is taken by a program that is not Duebell's receiver" in done.output
    assert counted(office.engine, Consent) == 0


@pytest.mark.parametrize(
    ("typed", "connected"),
    [("1\n", {OTHER}), ("2\n", {MOA}), ("all\n", {MOA, OTHER}), ("\n", {MOA, OTHER}), ("7\nx\n2,2\n", {MOA})],
)
def test_of_two_organisations_a_person_chooses(office: Newcomer, typed: str, connected: set[str]) -> None:
    done = office.run(Person(BOTH), typed=typed)
    assert done.exit_code == 0, done.output
    assert office.standing().keys() == connected
    assert done.output.count("write numbers from 1 to 2") == max(typed.count("\n") - 1, 0)


def test_a_script_says_which_or_all(office: Newcomer) -> None:
    done = office.run(Person(BOTH), "--tenant", OTHER.upper())
    assert (done.exit_code, office.standing()) == (0, {OTHER: "connected"})
    done = office.run(Person(BOTH), "--all")
    assert (done.exit_code, office.standing().keys()) == (0, {MOA, OTHER})


def test_an_organisation_that_the_consent_does_not_open_is_named_with_those_that_it_does(
    office: Newcomer,
) -> None:
    done = office.run(Person(), "--tenant", OTHER)
    assert done.exit_code == 1
    assert f"does not open {OTHER}, but: {COMPANY_NAME} ({MOA})" in " ".join(done.output.split())
    assert office.standing() == {}


def test_where_nobody_can_be_asked_the_options_are_named(office: Newcomer) -> None:
    done = office.run(Person(BOTH))
    assert done.exit_code == 1
    assert "--all or --tenant ID" in " ".join(done.output.split())
    assert office.standing() == {}


def test_a_second_organisation_is_added_later_and_both_share_the_newest_tokens(office: Newcomer) -> None:
    office.run(Person())
    first = office.token_set().version
    done = office.run(Person([OTHER]), typed="\n")
    assert done.exit_code == 0, done.output
    listed = [line.split() for line in done.output.splitlines() if line.strip()[:1] in "12"]
    assert [line[-1] for line in listed if len(line) > 3] == ["added", "connected"]
    assert f"{OTHER_NAME}: connected" in done.output
    assert f"{COMPANY_NAME}: connected" not in done.output, "what was not chosen is not read again"
    assert office.tenant(OTHER).token_set_id == office.tenant(MOA).token_set_id
    assert office.token_set().version == first + 1
    assert [asks_xero(office, one) for one in BOTH] == [COMPANY_NAME, OTHER_NAME]


def test_a_new_consent_revives_what_was_refused_and_reads_no_invoice_anew(office: Newcomer) -> None:
    office.run(Person(BOTH), "--all")
    resources = office.resources()
    kept = tokens.read(office.engine, resources.vault, office.tenant().token_set_id)
    assert kept.refresh is not None
    basic = (credentials.XERO_CLIENT_ID, credentials.XERO_CLIENT_SECRET)
    revoked = {"token": kept.refresh.get_secret_value()}
    httpx.post(
        f"{office.sandbox.base_url}/connect/revocation", data=revoked, auth=basic, trust_env=False, timeout=60
    )
    office.sandbox.expire_tokens()
    with pytest.raises(ReconnectNeeded):
        asks_xero(office, MOA)
    resources.close()
    assert office.standing() == {MOA: "refused", OTHER: "refused"}
    assert set(token_sets(office).values()) == {"refused"}

    done = office.run(Person(), typed="\n")
    assert done.exit_code == 0, done.output
    assert "invoices read" not in done.output
    assert office.standing() == {MOA: "connected", OTHER: "connected"}
    assert asks_xero(office, MOA) == COMPANY_NAME
    asked = [one.path for one in office.sandbox.requests() if one.path.endswith("/Invoices")]
    assert len(asked) == 2, "one page for each organisation, at its first sync alone"


def test_an_organisation_that_was_disconnected_is_open_again_after_a_new_consent(office: Newcomer) -> None:
    office.run(Person())
    tenants.disconnect(office.engine, MOA, "403", now=system_clock())
    assert office.standing() == {MOA: "disconnected"}
    office.run(Person())
    assert office.standing() == {MOA: "connected"}


def test_where_tokens_do_not_say_whose_they_are_the_tenants_move_to_the_newest(office: Newcomer) -> None:
    office.sandbox.settings(opaque_tokens=True)
    office.run(Person())
    old = office.tenant().token_set_id
    office.run(Person([OTHER]), "--tenant", OTHER)
    new = office.tenant().token_set_id
    assert new == office.tenant(OTHER).token_set_id
    assert token_sets(office) == {old: "replaced", new: "valid"}
    with reading(office.engine) as session:
        assert session.get_one(TokenSet, old).sealed == ""
    assert asks_xero(office, MOA) == COMPANY_NAME


def test_another_person_s_consent_leaves_sound_tokens_alone_until_it_is_chosen(office: Newcomer) -> None:
    office.run(Person())
    first = office.tenant().token_set_id
    office.run(Person(BOTH, person=OTHER_PERSON), "--tenant", OTHER)
    assert office.tenant(MOA).token_set_id == first != office.tenant(OTHER).token_set_id
    office.run(Person([MOA], person=OTHER_PERSON), "--tenant", MOA)
    assert office.tenant(MOA).token_set_id == office.tenant(OTHER).token_set_id


def test_an_organisation_that_cannot_be_read_does_not_hold_up_the_other(office: Newcomer) -> None:
    office.sandbox.fail_next("status", path="/api.xro/2.0/Organisation", status=503)
    done = office.run(Person(BOTH), "--all")
    assert done.exit_code == 1
    assert f"{OTHER_NAME}: Xero answered 503" in " ".join(done.output.split())
    assert office.standing() == {MOA: "connected"}
    assert office.run(Person(BOTH), "--all").exit_code == 0
    assert office.standing() == {MOA: "connected", OTHER: "connected"}


def test_who_asked_answered_and_was_connected_stands_in_the_trail(office: Newcomer) -> None:
    office.run(Person())
    with reading(office.engine) as session:
        told = [
            (row.actor, row.action) for row in session.exec(select(Audit).order_by(col(Audit.sequence))).all()
        ]
    assert told[:4] == [
        ("connect", "consent asked"),
        ("receiver", "consent answered"),
        ("connect", "tokens stored"),
        ("connect", "tenant connected"),
    ]
