"""A consent that nothing uses is used once a week, so that Xero does not end it after sixty days."""

from collections.abc import Generator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from deployments.sandbox import credentials
from deployments.sandbox.control import SandboxControl
from duebell import tokens
from duebell.clock import system_clock
from duebell.connecting import consent
from duebell.errors import ReconnectNeeded, Transient
from duebell.ledger.engine import reading
from duebell.ledger.tables import Attempt, Tenant, TokenSet
from duebell.ledger.token_sets import not_refreshed_since
from duebell.ledger.writing import writing
from duebell.resources import Resources, open_resources, using
from duebell.settings import load
from duebell.xero.identity import CONSENT_SCOPES, TokenAnswer
from flows.housekeeping import housekeeping
from tests.support_consent import Newcomer, Person, newcomer
from tests.support_facts import NOW, accepted, conclude, sent_off
from tests.support_office import environment_of
from tests.support_prefect import RunningPrefect

DAY = timedelta(days=1)
GRANT = "authorization_code"
TOKEN = "/connect/token"


@pytest.fixture
def resources(sandbox: SandboxControl, sqlite_ledger: Engine, tmp_path: Path) -> Generator[Resources]:
    url = sqlite_ledger.url.render_as_string()
    environment = environment_of(tmp_path / "home", url, sandbox.base_url)
    with closing(open_resources(load(environment, env_file=None))) as opened:
        yield opened


def rested(resources: Resources, sandbox: SandboxControl, name: str, since: timedelta) -> None:
    """A consent that was last refreshed so long ago, with a tenant on it."""
    then = system_clock() - since
    refresh = SecretStr(sandbox.consent(" ".join(CONSENT_SCOPES)))
    answer = TokenAnswer(SecretStr(f"access of {name}"), refresh, 1_800, CONSENT_SCOPES)
    tokens.store(resources.engine, resources.vault, name, GRANT, answer, now=then, consented=True)
    with writing(resources.engine, then) as book:
        book.session.add(Tenant(tenant_id=name, token_set_id=name, name=name, connected_at=then))


def last_refreshed(resources: Resources, name: str) -> datetime:
    with reading(resources.engine) as session:
        return session.get_one(TokenSet, name).refreshed_at


def asked(sandbox: SandboxControl) -> list[int | None]:
    return [one.status for one in sandbox.requests() if one.path == TOKEN]


def test_only_consents_that_rest_and_that_something_rests_on_are_due(ledger: Engine) -> None:
    sets = {
        "due": (GRANT, "valid", 7 * DAY),
        "fresh": (GRANT, "valid", 6 * DAY),
        "refused": (GRANT, "refused", 9 * DAY),
        "replaced": (GRANT, "replaced", 9 * DAY),
        "custom": ("client_credentials", "valid", 9 * DAY),
        "unused": (GRANT, "valid", 9 * DAY),
    }
    with writing(ledger, NOW) as book:
        for name, (grant, state, age) in sets.items():
            row = TokenSet(
                token_set_id=name, grant=grant, state=state, expires_at=NOW, refreshed_at=NOW - age
            )
            book.session.add(row)
        book.session.flush()
        for name in sets.keys() - {"unused"}:
            book.session.add(Tenant(tenant_id=name, token_set_id=name, connected_at=NOW))
    assert list(not_refreshed_since(ledger, GRANT, NOW - consent.IDLE)) == ["due"]


def test_a_set_that_rests_is_refreshed_though_its_access_token_would_last(
    resources: Resources, sandbox: SandboxControl
) -> None:
    rested(resources, sandbox, "A", 7 * DAY)
    consent.keep_alive(resources, "A", "test")
    assert system_clock() - last_refreshed(resources, "A") < DAY
    consent.keep_alive(resources, "A", "test")
    assert asked(sandbox) == [200], "another has refreshed it meanwhile"


def test_a_week_apart_a_consent_outlives_sixty_days(resources: Resources, sandbox: SandboxControl) -> None:
    rested(resources, sandbox, "A", 8 * DAY)
    for _ in range(10):
        consent.keep_alive(resources, "A", "test")
        sandbox.shift_clock(7 * DAY.total_seconds())
        with writing(resources.engine, NOW) as book:
            book.session.get_one(TokenSet, "A").refreshed_at -= 7 * DAY
    consent.keep_alive(resources, "A", "test")
    assert asked(sandbox) == [200] * 11


def test_a_set_that_xero_refuses_is_marked_and_one_that_cannot_be_asked_for_is_not(
    resources: Resources, sandbox: SandboxControl
) -> None:
    rested(resources, sandbox, "A", 8 * DAY)
    sandbox.fail_next("status", path=TOKEN, status=503)
    with pytest.raises(Transient):
        consent.keep_alive(resources, "A", "test")
    sandbox.shift_clock(61 * DAY.total_seconds())
    with pytest.raises(ReconnectNeeded):
        consent.keep_alive(resources, "A", "test")
    with reading(resources.engine) as session:
        assert session.get_one(TokenSet, "A").state == "refused"


def kept(prefect: RunningPrefect, resources: Resources) -> tuple[str | None, str | None]:
    """Run the flow in this process; the name and the message of its end."""
    with prefect.settings(), using(resources):
        ended = housekeeping(return_state=True)
    return ended.name, ended.message


def test_the_flow_refreshes_all_and_one_that_fails_does_not_hold_up_the_others(
    prefect_server: RunningPrefect, resources: Resources, sandbox: SandboxControl
) -> None:
    assert kept(prefect_server, resources) == ("Kept", "0 consents refreshed, 0 could not be")
    for name in "ABC":
        rested(resources, sandbox, name, 8 * DAY)
    with writing(resources.engine, NOW) as book:
        book.session.get_one(TokenSet, "B").sealed = "not sealed by us"
    assert kept(prefect_server, resources) == ("Not all kept", "2 consents refreshed, 1 could not be")
    recent = {name for name in "ABC" if system_clock() - last_refreshed(resources, name) < DAY}
    assert recent == {"A", "C"}


def test_the_flow_fails_with_the_ids_of_what_does_not_hold_in_the_ledger(
    prefect_server: RunningPrefect, resources: Resources, sandbox: SandboxControl
) -> None:
    rested(resources, sandbox, "A", 8 * DAY)
    sent_off(resources.engine)
    conclude(resources.engine, accepted())
    with writing(resources.engine, NOW) as book:
        book.session.get_one(Attempt, "a1").read_age_seconds = 90.0
    name, message = kept(prefect_server, resources)
    assert name == "Ledger broken"
    assert message == (
        "1 consents refreshed, 0 could not be; I8: attempt a1: what it says was read 90 s before"
    )


def test_a_file_that_cannot_be_deleted_ends_no_consent(
    prefect_server: RunningPrefect, resources: Resources, sandbox: SandboxControl
) -> None:
    """It fails each day, and after 60 of them Xero would have ended every consent that rests."""
    assert resources.journal is not None
    (resources.journal.folder / "here-2020-01-01.jsonl" / "kept").mkdir(parents=True)
    rested(resources, sandbox, "A", 8 * DAY)
    kept(prefect_server, resources)
    assert system_clock() - last_refreshed(resources, "A") < DAY


@pytest.fixture
def office(sandbox: SandboxControl, sqlite_ledger: Engine, tmp_path: Path) -> Generator[Newcomer]:
    with newcomer(sandbox, sqlite_ledger, tmp_path / "home") as opened:
        yield opened


def doctor(office: Newcomer) -> tuple[int, str]:
    done = office.command("doctor", DUEBELL_PUBLIC_URL="https://duebell.example")
    return done.exit_code, " ".join(done.output.split())


def turn(office: Newcomer, **changes: object) -> None:
    """Change the token set as time, or an older Duebell, would have."""
    with writing(office.engine, NOW) as book:
        row = book.session.get_one(TokenSet, office.tenant().token_set_id)
        for name, value in changes.items():
            setattr(row, name, value)


def test_doctor_tells_how_long_a_consent_lasts(office: Newcomer) -> None:
    office.run(Person())
    status, told = doctor(office)
    assert status == 0, told
    assert "consent for Moa Bay Bakery Supplies: was last refreshed today; unused" in told
    assert "it would end in 60 days" in told


WITHOUT_CONTACTS = "offline_access accounting.invoices accounting.settings.read accounting.payments.read"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scopes": WITHOUT_CONTACTS}, "lacks accounting.contacts.read: run `duebell connect`"),
        ({"refreshed_at": system_clock() - 15 * DAY}, "ends in 45 days: `duebell up` refreshes it once"),
        ({"refreshed_at": system_clock() - 61 * DAY}, "Xero ends it after 60: run `duebell connect`"),
        ({"state": "refused"}, "was refused by Xero: run `duebell connect`"),
    ],
)
def test_doctor_names_what_is_wrong_with_a_consent_and_the_mend(
    office: Newcomer, changes: dict[str, object], told: str
) -> None:
    office.run(Person())
    turn(office, **changes)
    status, output = doctor(office)
    assert status == 1
    assert "mend consent for Moa Bay Bakery Supplies: " in output
    assert told in output


def test_doctor_does_not_complain_of_scopes_that_were_never_told_or_of_more_than_enough(
    office: Newcomer,
) -> None:
    office.run(Person())
    writing_ones = " ".join(scope.removesuffix(".read") for scope in CONSENT_SCOPES)
    for scopes in ("", writing_ones):
        turn(office, scopes=scopes)
        assert doctor(office)[0] == 0


def test_doctor_tells_a_newcomer_and_one_who_was_disconnected_to_connect(office: Newcomer) -> None:
    status, told = doctor(office)
    assert (status, "no organisation is connected: run `duebell connect`" in told) == (1, True)
    office.run(Person())
    with writing(office.engine, NOW) as book:
        book.session.get_one(Tenant, credentials.TENANT_ID).state = "disconnected"
    status, told = doctor(office)
    assert (status, "Moa Bay Bakery Supplies is closed to Duebell: run `duebell connect`" in told) == (
        1,
        True,
    )


def test_doctor_says_that_xero_takes_no_browser_back_to_a_numbered_loopback(office: Newcomer) -> None:
    done = office.command("doctor", DUEBELL_PUBLIC_URL="http://127.0.0.1:8787")
    told = " ".join(done.output.split())
    assert done.exit_code == 1
    assert "mend DUEBELL_PUBLIC_URL: is no address to which Xero sends a browser back" in told
