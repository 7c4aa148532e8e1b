"""Answers to a consent that must not count: forged, repeated, too late, denied, or taken by somebody else."""

import logging
import time
from collections.abc import Generator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, update
from sqlmodel import col, select

from deployments.receiver.parts import ReceiverParts
from deployments.sandbox import credentials
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.server import running_sandbox
from duebell import tokens
from duebell.clock import system_clock
from duebell.connecting.consent_answer import PURPOSE
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit, Consent, TokenSet
from duebell.settings import load
from duebell.vault import Vault, load_or_create_keys
from tests.support_consent import Newcomer, Person, newcomer
from tests.support_facts import counted
from tests.support_receiver import FakePrefect, serving

MOA = credentials.TENANT_ID


@pytest.fixture(scope="module")
def sandbox() -> Generator[SandboxControl]:
    with running_sandbox() as control:
        yield control


@pytest.fixture
def office(sandbox: SandboxControl, sqlite_ledger: Engine, tmp_path: Path) -> Generator[Newcomer]:
    with newcomer(sandbox, sqlite_ledger, tmp_path / "home") as opened:
        yield opened


def the_consent(office: Newcomer) -> Consent:
    with reading(office.engine) as session:
        return session.exec(select(Consent)).one()


def words(text: str) -> str:
    return " ".join(text.split())


def came_back(url: str, **changes: str) -> httpx.Response:
    """Load the address that Xero sent a browser to, with some of its parameters changed."""
    return httpx.get(httpx.URL(url).copy_merge_params(changes), trust_env=False, timeout=60)


class Attacked(Person):
    """While this person decides, somebody else sends answers of their own."""

    def act(self, url: str) -> None:
        """Let the forged answers come first, and the true one twice."""
        self.sent_back.append(self.decide(url))
        true = self.sent_back[-1]
        forged = [came_back(true, state="A" * 43), came_back(true, state=""), came_back(true, state="short")]
        self.come_back()
        self.pages = [*forged, *self.pages, came_back(true), came_back(true, code="another")]


def test_a_forged_state_and_a_repeated_answer_change_nothing(office: Newcomer) -> None:
    person = Attacked()
    done = office.run(person)
    assert done.exit_code == 0, done.output
    assert [page.status_code for page in person.pages] == [400, 400, 400, 200, 400, 400]
    assert office.standing() == {MOA: "connected"}
    used = the_consent(office)
    assert (used.sealed, used.used_at is not None) == ("", True)


class Late(Person):
    """Comes back after the time is up."""

    def act(self, url: str) -> None:
        """Take longer than there is time."""
        self.sent_back.append(self.decide(url))
        time.sleep(0.4)
        self.come_back()


def test_an_answer_that_comes_too_late_is_not_kept_and_the_command_says_so(office: Newcomer) -> None:
    office.patch.setattr("duebell.connecting.consent.OPEN_FOR", timedelta(seconds=0.3))
    person = Late()
    done = office.run(person)
    assert done.exit_code == 1
    assert "no answer came within" in words(done.output)
    assert person.pages[0].status_code == 400
    assert the_consent(office).answered_at is None
    assert office.standing() == {}


def test_a_person_who_says_no_connects_nothing(office: Newcomer) -> None:
    person = Person(decision="deny")
    done = office.run(person)
    assert done.exit_code == 1
    assert "nothing was connected (access_denied): whoever was asked said no" in words(done.output)
    assert person.pages[0].status_code == 200
    assert "Nothing was connected" in person.pages[0].text
    assert (counted(office.engine, TokenSet), office.standing()) == (0, {})


class SentBackWith(Person):
    """Whom Xero sends back with an error of its own."""

    def __init__(self, **answer: str) -> None:
        super().__init__()
        self.answer = answer

    def decide(self, url: str) -> str:
        """Xero's word in place of the code."""
        asked = dict(httpx.URL(url).params)
        return str(httpx.URL(asked["redirect_uri"], params={"state": asked["state"], **self.answer}))


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("invalid_scope", "accounting.invoices.read"),
        ("unauthorized_client", "XERO_CLIENT_ID"),
        ("server_error", "run `duebell connect` again"),
        ("<script>alert(1)</script>", "nothing was connected (unknown)"),
    ],
)
def test_xero_s_own_error_is_told_with_its_mend(office: Newcomer, word: str, told: str) -> None:
    person = SentBackWith(error=word, error_description=word)
    done = office.run(person)
    assert done.exit_code == 1
    assert told in words(done.output)
    assert "script" not in done.output + person.pages[0].text


def test_a_code_with_an_error_beside_it_or_a_doubled_state_is_no_answer(office: Newcomer) -> None:
    office.patch.setattr("duebell.connecting.consent.OPEN_FOR", timedelta(seconds=2))
    person = SentBackWith(code="abc", error="access_denied")
    done = office.run(person)
    assert (done.exit_code, person.pages[0].status_code) == (1, 400)
    assert the_consent(office).answered_at is None


class WithAnotherVerifier(Person):
    """A person whose consent somebody else asked for: the code is true, the verifier is not its own."""

    office: Newcomer

    def decide(self, url: str) -> str:
        """Put another verifier in the place of the one that the consent was asked with."""
        vault = Vault(load_or_create_keys(load(self.office.environment, env_file=None)))
        row = the_consent(self.office)
        sealed = vault.seal(PURPOSE, row.state_hash, {"verifier": "v" * 64})
        with self.office.engine.begin() as connection:
            connection.execute(update(Consent).values(sealed=sealed))
        return super().decide(url)


def test_a_code_without_its_verifier_is_worth_nothing(office: Newcomer) -> None:
    person = WithAnotherVerifier()
    person.office = office
    done = office.run(person)
    assert done.exit_code == 1
    assert "invalid_grant" in done.output
    assert httpx.URL(person.sent_back[0]).params["code"] not in done.output
    assert (counted(office.engine, TokenSet), office.standing()) == (0, {})


class WithAnotherKey(Person):
    """A person whose answer reaches a receiver with other encryption keys."""

    office: Newcomer

    def come_back(self) -> None:
        """Change the row as if another installation had sealed it."""
        with self.office.engine.begin() as connection:
            connection.execute(update(Consent).where(col(Consent.sealed) != "").values(sealed="gAAAAA"))
        super().come_back()


def test_an_answer_that_cannot_be_sealed_is_not_kept_and_says_so(
    office: Newcomer, caplog: pytest.LogCaptureFixture
) -> None:
    office.patch.setattr("duebell.connecting.consent.OPEN_FOR", timedelta(seconds=2))
    person = WithAnotherKey()
    person.office = office
    done = office.run(person)
    assert (done.exit_code, person.pages[0].status_code) == (1, 503)
    assert "opens with none of the encryption keys" in caplog.text
    assert the_consent(office).answered_at is None


def test_an_address_that_xero_sends_no_browser_back_to_is_refused_before_anybody_is_asked(
    office: Newcomer,
) -> None:
    person = Person()
    listen = office.environment["DUEBELL_LISTEN"]
    done = office.run(person, DUEBELL_PUBLIC_URL=f"http://{listen}")
    assert (done.exit_code, person.asked) == (1, [])
    assert "DUEBELL_PUBLIC_URL is no address to which Xero sends a browser back" in words(done.output)
    assert "http://localhost:8787" in done.output


def secrets_of(office: Newcomer, person: Person, planted: list[str]) -> list[str]:
    """Everything that must show nowhere: the planted state and verifier, the code, and the tokens."""
    with closing(office.resources()) as resources:
        kept = tokens.read(office.engine, resources.vault, office.tenant().token_set_id)
    assert kept.refresh is not None
    code = httpx.URL(person.sent_back[0]).params["code"]
    state = httpx.URL(person.asked[0]).params["state"]
    assert state == planted[0]
    return [*planted, code, kept.access.get_secret_value(), kept.refresh.get_secret_value()]


@dataclass
class Planted:
    """A source of randomness whose words can be looked for."""

    words: list[str]
    given: int = 0

    def token_urlsafe(self, _bytes: int) -> str:
        """The next word."""
        self.given += 1
        return self.words[self.given - 1]


@pytest.mark.parametrize("taken_by", ["receiver", "command"])
def test_no_state_code_verifier_or_token_is_in_a_log_a_page_the_ledger_or_the_terminal(
    office: Newcomer, caplog: pytest.LogCaptureFixture, taken_by: str
) -> None:
    caplog.set_level(logging.INFO)
    planted = ["canary-state-" + "s" * 30, "canary-verifier-" + "v" * 48]
    office.patch.setattr("duebell.connecting.consent.secrets", Planted(planted))
    place = FakePrefect().place()
    receiver = ReceiverParts(load(office.environment, env_file=None), office.engine, system_clock, place)
    person = Attacked()
    with serving(receiver) if taken_by == "receiver" else nullcontext():
        done = office.run(person)
    assert done.exit_code == 0, done.output
    ledger = b"".join(
        path.read_bytes() for path in Path(office.engine.url.database or "").parent.glob("*.db*")
    )
    logs = [path.read_text() for path in Path(office.environment["DUEBELL_HOME"]).rglob("*.log")]
    pages = [f"{page.headers} {page.text}" for page in person.pages]
    with reading(office.engine) as session:
        trail = [f"{row.subject_id} {row.details}" for row in session.exec(select(Audit)).all()]
    shown = "".join([caplog.text, *logs, *pages, *trail, ledger.decode("latin-1")])
    hidden = secrets_of(office, person, planted)
    assert [secret[:14] for secret in hidden if secret in shown] == []
    assert "xero's answer to a consent kept" in caplog.text
    # The address that a person opens has to hold the state; what proves the code is theirs is not in it.
    assert [secret[:14] for secret in hidden[1:] if secret in done.output] == []
    assert done.output.count(planted[0]) == 1
