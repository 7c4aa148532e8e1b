"""The faults of token sets, each against the sandbox's token endpoint: F045 to F050 of the list of faults."""

import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlmodel import select

from deployments.sandbox import credentials
from deployments.sandbox.control import SandboxControl
from duebell import tokens
from duebell.books.access import XeroAccess, unpaced
from duebell.books.calls import Purpose
from duebell.clock import system_clock
from duebell.errors import ConfigurationError, ReconnectNeeded, Transient
from duebell.ledger import tenants
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.tables import Audit, Tenant, TokenSet
from duebell.ledger.token_sets import LEASE
from duebell.ledger.writing import writing
from duebell.resources import Resources
from duebell.settings import load
from duebell.tokens import Refresher, Tokens, ensure_fresh
from duebell.twilio.transport import twilio_http_client
from duebell.vault import Vault, load_or_create_keys
from duebell.xero.identity import CONSENT_SCOPES, TokenAnswer, XeroIdentity
from duebell.xero.transfer import make_http_client
from tests.support_facts import MINUTE, Hand

ROOT = Path(__file__).resolve().parents[1]
SET, TOKEN = "authorization_code:test", "/connect/token"
KEY = Fernet.generate_key().decode()
TENANTS = (credentials.TENANT_ID, "5a4db0c5-0000-4000-8000-000000000002")


def vault(*keys: str) -> Vault:
    return Vault([SecretStr(key) for key in keys or (KEY,)])


def consented(engine: Engine, sandbox: SandboxControl, *, now: datetime | None = None) -> None:
    """Two tenants on one set, whose access token is over."""
    refresh = SecretStr(sandbox.consent(" ".join(CONSENT_SCOPES)))
    now = now or system_clock()
    over = TokenAnswer(SecretStr("over"), refresh, 1, CONSENT_SCOPES)
    tokens.store(engine, vault(), SET, "authorization_code", over, now=now - MINUTE, consented=True)
    with writing(engine, now) as book:
        for tenant_id in TENANTS:
            book.session.add(Tenant(tenant_id=tenant_id, token_set_id=SET, name="n", connected_at=now))


def by_xero(url: str) -> Refresher:
    """Refreshes at the sandbox's endpoint."""

    def refresher(spent: Tokens) -> TokenAnswer:
        with closing(make_http_client()) as http:
            identity = XeroIdentity(
                http, url, credentials.XERO_CLIENT_ID, SecretStr(credentials.XERO_CLIENT_SECRET)
            )
            assert spent.refresh is not None
            return identity.refresh(spent.refresh)

    return refresher


def refreshed(engine: Engine, sandbox: SandboxControl, clock: Hand | None = None) -> datetime:
    refresher = by_xero(sandbox.base_url)
    return ensure_fresh(engine, vault(), SET, refresher, owner="run", clock=clock or system_clock)


def asked(sandbox: SandboxControl) -> list[int | None]:
    """The status of every call to the token endpoint."""
    return [one.status for one in sandbox.requests() if one.path == TOKEN]


def the_set(engine: Engine) -> TokenSet:
    with reading(engine) as session:
        return session.get_one(TokenSet, SET)


def states(engine: Engine) -> set[str]:
    """The states of the tenants."""
    return {tenants.get(engine, tenant_id).state for tenant_id in TENANTS}


def refresh_in_a_process(url: str, key: str, xero: str, ready: object, done: object) -> None:
    """What each of the ten processes does."""
    engine = open_ledger(url)
    ready.wait()  # type: ignore[attr-defined]
    ensure_fresh(engine, Vault([SecretStr(key)]), SET, by_xero(xero), owner="run", clock=system_clock)
    used = tokens.read(engine, Vault([SecretStr(key)]), SET).access.get_secret_value()
    done.put(used)  # type: ignore[attr-defined]
    engine.dispose()


def test_f045_ten_processes_with_an_expired_token_refresh_it_once_at_a_xero_without_grace(
    ledger: Engine, sandbox: SandboxControl
) -> None:
    sandbox.settings(refresh_grace_seconds=0)
    consented(ledger, sandbox)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["duebell.books.access", "duebell.tokens", "pytest"])
    ready, done = context.Barrier(10), context.Queue()
    url = ledger.url.render_as_string(hide_password=False)
    workers = [
        context.Process(target=refresh_in_a_process, args=(url, KEY, sandbox.base_url, ready, done))
        for _ in range(10)
    ]
    for worker in workers:
        worker.start()
    used = {done.get(timeout=90) for _ in workers}
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0] * 10
    assert (asked(sandbox), len(used)) == ([200], 1)
    assert (the_set(ledger).state, the_set(ledger).version) == ("valid", 2)


REFRESH = """
import sys
from pydantic import SecretStr
from duebell.ledger.engine import open_ledger
from duebell.vault import Vault
from tests.test_faults_tokens import SET, by_xero, ensure_fresh, system_clock
url, key, xero = sys.argv[1:]
vault = Vault([SecretStr(key)])
ensure_fresh(open_ledger(url), vault, SET, by_xero(xero), owner="killed", clock=system_clock)
"""


def test_f046_a_kill_between_the_answer_and_the_commit_costs_nothing_inside_the_grace(
    ledger: Engine, sandbox: SandboxControl
) -> None:
    consented(ledger, sandbox)
    url = ledger.url.render_as_string(hide_password=False)
    killed = subprocess.run(
        [sys.executable, "-c", REFRESH, url, KEY, sandbox.base_url],
        cwd=ROOT,
        env={**os.environ, "DUEBELL_FAILPOINT": "tokens-answered=kill", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (asked(sandbox), the_set(ledger).version, the_set(ledger).state) == ([200], 1, "valid")
    # The dead process holds the lease still; the clock of the next is past it, Xero's is inside the grace.
    refreshed(ledger, sandbox, Hand(system_clock() + LEASE + timedelta(seconds=1)))
    assert (asked(sandbox), the_set(ledger).version) == ([200, 200], 2)
    assert (the_set(ledger).state, states(ledger)) == ("valid", {"connected"})
    sandbox.shift_clock(40 * 60)
    refreshed(ledger, sandbox, Hand(system_clock() + 40 * MINUTE))
    assert asked(sandbox) == [200, 200, 200], "the chain that was kept is the one that lives"


def test_f047_an_answer_that_was_lost_is_asked_for_again_with_the_same_token(
    ledger: Engine, sandbox: SandboxControl
) -> None:
    consented(ledger, sandbox)
    sandbox.fail_next("drop_after", path=TOKEN)
    with pytest.raises(Transient):
        refreshed(ledger, sandbox)
    assert (the_set(ledger).state, the_set(ledger).lease_until) == ("valid", None)
    refreshed(ledger, sandbox)
    assert (asked(sandbox)[-1], the_set(ledger).version, states(ledger)) == (200, 2, {"connected"})


def test_f047_after_the_grace_a_lost_answer_needs_a_new_consent(
    ledger: Engine, sandbox: SandboxControl
) -> None:
    consented(ledger, sandbox)
    sandbox.fail_next("drop_after", path=TOKEN)
    with pytest.raises(Transient):
        refreshed(ledger, sandbox)
    sandbox.shift_clock(31 * 60)
    with pytest.raises(ReconnectNeeded):
        refreshed(ledger, sandbox)
    assert (the_set(ledger).state, states(ledger)) == ("refused", {"refused"})


def lost_by_a_second_refresher(engine: Engine, sandbox: SandboxControl) -> datetime:
    """A set whose newest refresh token Xero does not know, and whose previous one it does; the time of it."""
    consented(engine, sandbox)
    stranger = TokenAnswer(SecretStr("stranger"), SecretStr("refresh-of-nobody"), 1, ())
    ensure_fresh(engine, vault(), SET, lambda _spent: stranger, owner="the loser", clock=system_clock)
    return the_set(engine).refreshed_at


def test_f048_the_previous_token_is_tried_once_while_xero_still_knows_it(
    ledger: Engine, sandbox: SandboxControl
) -> None:
    rotated = lost_by_a_second_refresher(ledger, sandbox)
    refreshed(ledger, sandbox, Hand(rotated + 29 * MINUTE))
    assert (asked(sandbox), the_set(ledger).state) == ([400, 200], "valid")
    assert set(the_set(ledger).scopes.split()) == set(CONSENT_SCOPES)
    kept = tokens.read(ledger, vault(), SET)
    assert kept.previous_refresh is not None
    assert kept.previous_refresh.get_secret_value().startswith("sandbox-refresh-")


def test_f048_a_previous_token_that_was_rotated_half_an_hour_ago_is_not_tried(
    ledger: Engine, sandbox: SandboxControl
) -> None:
    rotated = lost_by_a_second_refresher(ledger, sandbox)
    with pytest.raises(ReconnectNeeded):
        refreshed(ledger, sandbox, Hand(rotated + 30 * MINUTE))
    assert (asked(sandbox), the_set(ledger).state) == ([400], "refused")


def test_f048_a_set_that_xero_refuses_for_good_rests_is_told_once_and_is_asked_about_no_more(
    ledger: Engine, sandbox: SandboxControl, caplog: pytest.LogCaptureFixture
) -> None:
    consented(ledger, sandbox)
    refreshed(ledger, sandbox)
    sandbox.shift_clock(61 * 24 * 3600)
    later = Hand(system_clock() + MINUTE * 26)
    for _ in range(3):
        with pytest.raises(ReconnectNeeded, match="connect"):
            refreshed(ledger, sandbox, later)
    assert asked(sandbox) == [200, 400, 400], "the newest once, the one before it once"
    assert (the_set(ledger).state, the_set(ledger).lease_until) == ("refused", None)
    assert states(ledger) == {"refused"}
    with reading(ledger) as session:
        told = session.exec(select(Audit.action, Audit.subject_id).order_by(Audit.subject_id)).all()
    assert [one for one in told if one[0] in {"tokens refused", "tenant paused"}] == [
        ("tenant paused", TENANTS[0]),
        ("tenant paused", TENANTS[1]),
        ("tokens refused", SET),
    ]
    errors = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert [one.getMessage() for one in errors] == [
        f"Xero refuses token set {SET}: its organisations rest until `duebell connect`"
    ]


def test_f048_a_trouble_at_the_second_try_leaves_the_set_as_it_was(
    ledger: Engine, sandbox: SandboxControl
) -> None:
    rotated = lost_by_a_second_refresher(ledger, sandbox)
    sandbox.fail_next("status", path=TOKEN, status=503, skip=1)
    with pytest.raises(Transient):
        refreshed(ledger, sandbox, Hand(rotated + MINUTE))
    assert (the_set(ledger).state, the_set(ledger).lease_until) == ("valid", None)
    refreshed(ledger, sandbox, Hand(rotated + 2 * MINUTE))
    assert asked(sandbox) == [400, 503, 400, 200]


def test_f048_a_refresher_that_was_overtaken_leaves_the_previous_token_alone(
    ledger: Engine, sandbox: SandboxControl
) -> None:
    consented(ledger, sandbox)
    refreshed(ledger, sandbox)
    clock = Hand(system_clock() + 26 * MINUTE)
    tried: list[Tokens] = []

    def overtaken(given: Tokens) -> TokenAnswer:
        tried.append(given)
        clock.now += LEASE + timedelta(seconds=1)
        refreshed(ledger, sandbox, clock)
        raise ReconnectNeeded("invalid_grant")

    ensure_fresh(ledger, vault(), SET, overtaken, owner="slow", clock=clock)
    assert (len(tried), asked(sandbox)) == (1, [200, 200])
    assert (the_set(ledger).state, the_set(ledger).version) == ("valid", 3)


def resources_at(engine: Engine, sandbox: SandboxControl) -> Resources:
    environment = {
        "XERO_CLIENT_ID": credentials.XERO_CLIENT_ID,
        "XERO_CLIENT_SECRET": credentials.XERO_CLIENT_SECRET,
        "XERO_API_URL": sandbox.base_url,
        "XERO_IDENTITY_URL": sandbox.base_url,
    }
    settings = load(environment, env_file=None)
    return Resources(settings, engine, vault(), make_http_client(), twilio_http_client(), system_clock)


def test_f049_a_token_that_looks_fresh_and_is_over_is_refreshed_once(
    ledger: Engine, sandbox: SandboxControl
) -> None:
    consented(ledger, sandbox)
    refreshed(ledger, sandbox)
    sandbox.expire_tokens()
    resources = resources_at(ledger, sandbox)
    access = XeroAccess(resources, credentials.TENANT_ID, unpaced, "run", Purpose.DOCTOR)
    assert access.ask(access.client.organisation).name
    assert asked(sandbox) == [200, 200]
    # Xero's clock an hour ahead of ours: every new token is over at once, and nobody asks in a loop.
    sandbox.settings(token_seconds=1)
    sandbox.shift_clock(3600)
    with pytest.raises(Transient):
        _with_tokens_that_are_over(access, sandbox)
    assert asked(sandbox) == [200, 200, 200]
    resources.close()


@pytest.mark.parametrize("hours", [0, 1, 12])
def test_f049_a_set_that_a_clock_13_hours_ahead_refreshed_serves_as_soon_as_the_clock_is_right(
    ledger: Engine, sandbox: SandboxControl, hours: int
) -> None:
    real = system_clock()
    consented(ledger, sandbox)
    clock = Hand(real + timedelta(hours=13))
    resources = replace(resources_at(ledger, sandbox), clock=clock)
    access = XeroAccess(resources, credentials.TENANT_ID, unpaced, "run", Purpose.DOCTOR)
    with pytest.raises(ConfigurationError, match="ahead of"):
        access.ask(access.client.organisation)
    clock.now = real + timedelta(hours=hours, minutes=1)
    sandbox.shift_clock(hours * 3600)
    sandbox.expire_tokens()
    assert access.ask(access.client.organisation).name
    assert (asked(sandbox), the_set(ledger).refreshed_at) == ([200, 200], clock.now)
    resources.close()


def _with_tokens_that_are_over(access: XeroAccess, sandbox: SandboxControl) -> str:
    def ask_and_be_too_late() -> str:
        sandbox.expire_tokens()
        return access.client.organisation().name

    return access.ask(ask_and_be_too_late)


def test_f050_with_a_wrong_key_nothing_is_asked_marked_or_held(
    ledger: Engine, sandbox: SandboxControl
) -> None:
    consented(ledger, sandbox)
    stranger = vault(Fernet.generate_key().decode())
    with pytest.raises(ConfigurationError, match="opens with none of the encryption keys"):
        ensure_fresh(ledger, stranger, SET, by_xero(sandbox.base_url), owner="run", clock=system_clock)
    assert (asked(sandbox), the_set(ledger).state, the_set(ledger).lease_until) == ([], "valid", None)
    refreshed(ledger, sandbox)


def test_f050_keys_that_are_being_changed_open_both_and_seal_with_the_first(
    ledger: Engine, sandbox: SandboxControl
) -> None:
    consented(ledger, sandbox)
    new = Fernet.generate_key().decode()
    both = vault(new, KEY)
    ensure_fresh(ledger, both, SET, by_xero(sandbox.base_url), owner="run", clock=system_clock)
    assert tokens.read(ledger, vault(new), SET).refresh is not None
    with pytest.raises(ConfigurationError):
        tokens.read(ledger, vault(KEY), SET)


def test_f050_without_its_keys_nothing_is_opened_and_no_plain_text_is_taken(
    ledger: Engine, sandbox: SandboxControl, tmp_path: Path
) -> None:
    consented(ledger, sandbox)
    settings = load({"DUEBELL_HOME": str(tmp_path)}, env_file=None)
    made_anew = Vault(load_or_create_keys(settings))
    with pytest.raises(ConfigurationError, match="Put back the key"):
        tokens.read(ledger, made_anew, SET)
    plain = json.dumps({"v": 1, "purpose": tokens.PURPOSE, "owner": SET, "data": {"access": "plain"}})
    with writing(ledger, system_clock()) as book:
        book.session.get_one(TokenSet, SET).sealed = plain
    with pytest.raises(ConfigurationError):
        tokens.read(ledger, vault(), SET)
    with pytest.raises(ConfigurationError, match="encryption key is missing"):
        Vault([])


def test_a_refreshed_set_shows_none_of_its_secrets(ledger: Engine, sandbox: SandboxControl) -> None:
    consented(ledger, sandbox)
    refreshed(ledger, sandbox)
    kept = tokens.read(ledger, vault(), SET)
    assert "sandbox-" not in repr(kept) + repr(replace(kept, refresh=None)) + repr(the_set(ledger))
