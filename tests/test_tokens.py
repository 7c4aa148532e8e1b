"""A token set is refreshed by one writer at a time, before it is over, and never lies in clear."""

import fcntl
import multiprocessing
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import Engine, text, update
from sqlmodel import col

from duebell import tokens
from duebell.books.access import XeroAccess
from duebell.books.calls import Purpose
from duebell.clock import system_clock
from duebell.errors import ConfigurationError, ReconnectNeeded, TokenExpired, Transient
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.tables import TokenSet
from duebell.ledger.token_sets import LEASE
from duebell.tokens import Refresher, Tokens, ensure_fresh
from duebell.vault import Vault
from duebell.xero.identity import TokenAnswer
from tests.support_facts import MINUTE, NOW, TENANT, Hand, at_once, open_tenant, resources_over

SET = "tokens"
LIFE = 1_800
SECOND = timedelta(seconds=1)
KEY = Fernet.generate_key().decode()


def vault() -> Vault:
    return Vault([SecretStr(KEY)])


def answer(number: int) -> TokenAnswer:
    return TokenAnswer(SecretStr(f"access-{number}"), SecretStr(f"refresh-{number}"), LIFE, ())


class Xero:
    """A token endpoint without any grace: a refresh token is spent by its first use. Its state is a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "xero"
        self.path.write_text("0")

    def __call__(self, spent: Tokens) -> TokenAnswer:
        with self.path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            current = int(file.read())
            if spent.refresh is None or spent.refresh.get_secret_value() != f"refresh-{current}":
                raise ReconnectNeeded("invalid_grant")
            file.seek(0)
            file.write(str(current + 1))
        return answer(current + 1)

    @property
    def refreshes(self) -> int:
        """How many refreshes it granted."""
        return int(self.path.read_text())


@pytest.fixture
def xero(tmp_path: Path) -> Xero:
    return Xero(tmp_path)


def connected(engine: Engine) -> Engine:
    tokens.store(engine, vault(), SET, "test", answer(0), now=NOW)
    return engine


def fresh(engine: Engine, refresher: Refresher, clock: Hand, owner: str = "run 1", **more: object) -> object:
    return ensure_fresh(engine, vault(), SET, refresher, owner=owner, clock=clock, **more)  # type: ignore[arg-type]


def the_set(engine: Engine) -> TokenSet:
    with reading(engine) as session:
        return session.get_one(TokenSet, SET)


def access_token(engine: Engine) -> str:
    return tokens.read(engine, vault(), SET).access.get_secret_value()


EXPIRED = NOW + timedelta(hours=1)


def test_a_set_that_lasts_costs_no_refresh(ledger: Engine, xero: Xero) -> None:
    connected(ledger)
    assert fresh(ledger, xero, Hand(NOW + 24 * MINUTE)) == NOW + 30 * MINUTE
    assert xero.refreshes == 0


def test_a_set_is_refreshed_before_it_is_over_and_remembers_what_it_spent(ledger: Engine, xero: Xero) -> None:
    connected(ledger)
    assert fresh(ledger, xero, Hand(NOW + 26 * MINUTE)) == NOW + 56 * MINUTE
    known = tokens.read(ledger, vault(), SET)
    assert known.refresh
    assert known.previous_refresh
    assert (known.access.get_secret_value(), known.refresh.get_secret_value()) == ("access-1", "refresh-1")
    assert known.previous_refresh.get_secret_value() == "refresh-0"
    assert (the_set(ledger).lease_until, xero.refreshes) == (None, 1)


def test_of_many_threads_one_refreshes_and_the_others_use_its_token(ledger: Engine, xero: Xero) -> None:
    connected(ledger)
    clock = Hand(EXPIRED)
    expiries = at_once(8, lambda number: fresh(ledger, xero, clock, f"run {number}"))
    assert set(expiries) == {EXPIRED + 30 * MINUTE}
    assert (xero.refreshes, access_token(ledger)) == (1, "access-1")


def refresh_in_a_process(url: str, key: str, folder: str, ready: object, done: object) -> None:
    """What each of the ten processes does."""
    refresher = Xero.__new__(Xero)
    refresher.path = Path(folder) / "xero"
    engine = open_ledger(url)
    ready.wait()  # type: ignore[attr-defined]
    ensure_fresh(engine, Vault([SecretStr(key)]), SET, refresher, owner="run", clock=system_clock)
    used = tokens.read(engine, Vault([SecretStr(key)]), SET).access.get_secret_value()
    done.put(used)  # type: ignore[attr-defined]
    engine.dispose()


def test_ten_processes_with_an_expired_set_refresh_once(sqlite_ledger: Engine, xero: Xero) -> None:
    connected(sqlite_ledger)
    # A fresh process, forked ten times once it has imported what all of them need.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["duebell.books.access", "duebell.tokens", "pytest"])
    ready, done = context.Barrier(10), context.Queue()
    url = sqlite_ledger.url.render_as_string()
    folder = str(xero.path.parent)
    workers = [
        context.Process(target=refresh_in_a_process, args=(url, KEY, folder, ready, done)) for _ in range(10)
    ]
    for worker in workers:
        worker.start()
    used = [done.get(timeout=90) for _ in workers]
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0] * 10
    assert (xero.refreshes, set(used)) == (1, {"access-1"})


def test_a_token_that_xero_ended_early_is_refreshed_once_for_all_who_were_told(
    ledger: Engine, xero: Xero
) -> None:
    connected(ledger)
    used_at = NOW + MINUTE
    clocks = [Hand(used_at + number * SECOND) for number in range(1, 7)]
    at_once(6, lambda number: fresh(ledger, xero, clocks[number], force=used_at))
    assert (xero.refreshes, access_token(ledger)) == (1, "access-1")
    fresh(ledger, xero, Hand(NOW + 2 * MINUTE), force=NOW + 2 * MINUTE)
    assert xero.refreshes == 2


def test_a_spent_consent_is_marked_refused_and_asked_about_once(ledger: Engine) -> None:
    connected(ledger)
    asked: list[Tokens] = []

    def spent(given: Tokens) -> TokenAnswer:
        asked.append(given)
        raise ReconnectNeeded("invalid_grant")

    for _ in range(3):
        with pytest.raises(ReconnectNeeded):
            fresh(ledger, spent, Hand(EXPIRED))
    assert (the_set(ledger).state, the_set(ledger).lease_until, len(asked)) == ("refused", None, 1)
    with pytest.raises(ReconnectNeeded, match="duebell connect"):
        tokens.read(ledger, vault(), SET)
    tokens.store(ledger, vault(), SET, "test", answer(7), now=EXPIRED)
    assert access_token(ledger) == "access-7"


@pytest.mark.parametrize("trouble", [Transient("503"), ConfigurationError("invalid_client")])
def test_a_refresh_that_fails_leaves_the_way_free_for_the_next(
    ledger: Engine, xero: Xero, trouble: Exception
) -> None:
    connected(ledger)

    def fails(_: Tokens) -> TokenAnswer:
        raise trouble

    with pytest.raises(type(trouble)):
        fresh(ledger, fails, Hand(EXPIRED))
    assert (the_set(ledger).state, the_set(ledger).lease_until) == ("valid", None)
    fresh(ledger, xero, Hand(EXPIRED))
    assert xero.refreshes == 1


def test_the_lease_of_a_killed_refresher_lapses(ledger: Engine, xero: Xero) -> None:
    connected(ledger)

    def killed(_: Tokens) -> TokenAnswer:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fresh(ledger, killed, Hand(EXPIRED))
    assert the_set(ledger).lease_until == EXPIRED + LEASE
    fresh(ledger, xero, Hand(EXPIRED + LEASE + SECOND))
    assert (xero.refreshes, access_token(ledger)) == (1, "access-1")


def test_a_refresher_that_was_overtaken_does_not_end_the_set(ledger: Engine, xero: Xero) -> None:
    connected(ledger)
    clock = Hand(EXPIRED)

    def overtaken(_: Tokens) -> TokenAnswer:
        clock.now += LEASE + SECOND
        fresh(ledger, xero, clock, "run 2")
        raise ReconnectNeeded("invalid_grant")

    assert fresh(ledger, overtaken, clock) == clock.now + 30 * MINUTE
    assert (the_set(ledger).state, xero.refreshes, access_token(ledger)) == ("valid", 1, "access-1")


def test_a_refresher_whose_lease_lapsed_leaves_the_lease_of_the_next_alone(ledger: Engine) -> None:
    connected(ledger)
    clock = Hand(EXPIRED)

    def slow(_: Tokens) -> TokenAnswer:
        clock.now += LEASE + SECOND
        with ledger.begin() as connection:
            lease = update(TokenSet).values(lease_owner="run 2", lease_until=clock.now + LEASE)
            connection.execute(lease.where(col(TokenSet.token_set_id) == SET))
        raise Transient("503")

    with pytest.raises(Transient):
        fresh(ledger, slow, clock)
    assert (the_set(ledger).lease_owner, the_set(ledger).lease_until) == ("run 2", clock.now + LEASE)


def test_what_is_stored_shows_nothing_and_opens_for_its_own_set_alone(ledger: Engine) -> None:
    connected(ledger)
    tokens.store(ledger, vault(), "other", "test", answer(9), now=NOW)
    with ledger.begin() as connection:
        sealed = connection.execute(text("SELECT sealed FROM token_set")).scalars().all()
        assert not any("access-" in one or "refresh-" in one for one in sealed)
        connection.execute(
            text("UPDATE token_set SET sealed = :sealed WHERE token_set_id = :id"),
            {"sealed": the_set(ledger).sealed, "id": "other"},
        )
    with pytest.raises(ConfigurationError, match="sealed for something else"):
        tokens.read(ledger, vault(), "other")
    with pytest.raises(ConfigurationError, match="none of the encryption keys"):
        tokens.read(ledger, Vault([SecretStr(Fernet.generate_key().decode())]), SET)
    assert "access-0" not in repr(tokens.read(ledger, vault(), SET))


def test_a_set_that_is_not_there_is_a_mistake_of_the_setup(sqlite_ledger: Engine, xero: Xero) -> None:
    with pytest.raises(ConfigurationError, match="duebell connect"):
        fresh(sqlite_ledger, xero, Hand())


def test_two_calls_that_used_the_same_ended_token_refresh_it_once(sqlite_ledger: Engine) -> None:
    granted: list[int] = []

    def token_endpoint(_: httpx.Request) -> httpx.Response:
        granted.append(1)
        return httpx.Response(
            200, json={"access_token": f"new-{len(granted)}", "expires_in": LIFE, "token_type": "Bearer"}
        )

    clock = Hand()
    resources = resources_over(sqlite_ledger, clock, xero=token_endpoint)
    open_tenant(sqlite_ledger)
    no_refresh = TokenAnswer(SecretStr("old"), None, LIFE, ())
    tokens.store(sqlite_ledger, resources.vault, SET, "client_credentials", no_refresh, now=NOW - MINUTE)
    used: list[str] = []

    def call(access: XeroAccess, meanwhile: Callable[[], object]) -> Callable[[], str]:
        def once() -> str:
            token = tokens.read(sqlite_ledger, resources.vault, SET).access.get_secret_value()
            used.append(token)
            clock.now += SECOND
            if token == "old":
                meanwhile()
                clock.now += SECOND
                raise TokenExpired("401")
            return token

        return once

    first, second = (
        XeroAccess(resources, TENANT, nullcontext, f"run {number}", Purpose.EVENTS) for number in (1, 2)
    )
    inner = call(second, lambda: None)
    assert first.ask(call(first, lambda: second.ask(inner))) == "new-1"
    assert (used, len(granted)) == (["old", "old", "new-1", "new-1"], 1)
