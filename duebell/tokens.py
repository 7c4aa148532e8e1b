"""Token sets: stored encrypted, refreshed before they expire, by one writer at a time.

A refresh token rotates: two refreshers at once would leave the one that is stored last with a token that
Xero has retired. So: lease, look again, refresh, commit, and only then use.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import ColumnElement, Engine, update
from sqlmodel import col
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_random

from duebell.audit import Entry
from duebell.clock import Clock
from duebell.errors import ConfigurationError, ReconnectNeeded, Transient
from duebell.ledger.engine import reading
from duebell.ledger.tables import TokenSet
from duebell.ledger.writing import writing
from duebell.vault import Vault
from duebell.xero.identity import TokenAnswer

EARLY = timedelta(minutes=5)
"""A token is refreshed this long before Xero ends it."""

LEASE = timedelta(seconds=75)
"""Longer than the token endpoint may take to answer, which is a minute."""

PURPOSE = "xero token set"


@dataclass(frozen=True, slots=True)
class Tokens:
    """A token set in clear, for the moment of its use. Its secrets print as asterisks."""

    access: SecretStr
    refresh: SecretStr | None
    previous_refresh: SecretStr | None
    expires_at: datetime


def store(
    engine: Engine, vault: Vault, token_set_id: str, grant: str, answer: TokenAnswer, *, now: datetime
) -> None:
    """Keep a new token set, or replace one after a new consent."""
    with writing(engine, now) as book:
        row = book.session.get(TokenSet, token_set_id)
        if row is None:
            row = TokenSet(token_set_id=token_set_id, grant=grant, expires_at=now, refreshed_at=now)
        row.grant, row.state = grant, "valid"
        row.sealed = _sealed(vault, token_set_id, answer, None)
        row.expires_at = now + timedelta(seconds=answer.expires_in)
        row.refreshed_at = now
        row.version += 1
        row.lease_until = None
        book.session.add(row)
        book.audit(Entry("connect", "tokens stored", "token_set", token_set_id, details={"grant": grant}))


def _sealed(vault: Vault, token_set_id: str, answer: TokenAnswer, previous: SecretStr | None) -> str:
    data: dict[str, object] = {
        "access": answer.access_token.get_secret_value(),
        "refresh": answer.refresh_token.get_secret_value() if answer.refresh_token else None,
        "previous_refresh": previous.get_secret_value() if previous else None,
    }
    return vault.seal(PURPOSE, token_set_id, data)


def read(engine: Engine, vault: Vault, token_set_id: str) -> Tokens:
    """Decrypt a token set at the moment of its use.

    Raises ``ConfigurationError`` where there is none, ``ReconnectNeeded`` where Xero has refused it.
    """
    row = _usable(engine, token_set_id)
    data = vault.open(PURPOSE, token_set_id, row.sealed)
    return Tokens(
        SecretStr(str(data["access"])),
        _secret(data, "refresh"),
        _secret(data, "previous_refresh"),
        row.expires_at,
    )


def _secret(data: dict[str, object], name: str) -> SecretStr | None:
    value = data.get(name)
    return SecretStr(str(value)) if value else None


Refresher = Callable[[Tokens], TokenAnswer]
"""Asks Xero for new tokens in place of the ones given."""


def ensure_fresh(
    engine: Engine,
    vault: Vault,
    token_set_id: str,
    refresher: Refresher,
    *,
    owner: str,
    clock: Clock,
    force: datetime | None = None,
) -> datetime:
    """Leave the token set valid for a while yet, and return when it expires (UTC).

    ``force`` refreshes a set that was last refreshed before that time, though it looks fresh: Xero said of a
    token that was read then that it is over. Of several callers one refreshes and the others wait for it.
    Raises ``ReconnectNeeded`` where Xero refuses the credentials, ``Transient`` where it cannot be asked now.
    """

    def once() -> datetime | None:
        row = _usable(engine, token_set_id)
        stale = force is not None and row.refreshed_at <= force
        if not stale and row.expires_at - EARLY > clock():
            return row.expires_at
        return _refresh(engine, vault, row, refresher, owner, clock)

    expires = _patience()(once)
    if expires is None:
        raise Transient(f"token set {token_set_id} is being refreshed by another process for too long")
    return expires


def _patience() -> Retrying:
    """Ask until there is an answer, for longer than a dead refresher can hold the lease."""
    return Retrying(
        retry=retry_if_result(lambda expires: expires is None),
        wait=wait_random(0.02, 0.1),
        stop=stop_after_delay(LEASE.total_seconds() + 15),
        retry_error_callback=lambda _state: None,
    )


def _usable(engine: Engine, token_set_id: str) -> TokenSet:
    with reading(engine) as session:
        row = session.get(TokenSet, token_set_id)
    if row is None:
        raise ConfigurationError(f"token set {token_set_id} is not there: run `duebell connect`")
    if row.state != "valid":
        raise ReconnectNeeded(f"token set {token_set_id} was refused by Xero: run `duebell connect`")
    return row


def _refresh(
    engine: Engine, vault: Vault, seen: TokenSet, refresher: Refresher, owner: str, clock: Clock
) -> datetime | None:
    """Refresh under the lease; ``None`` where another holds it, or has refreshed since we looked."""
    lease = _take_lease(engine, seen, owner, clock())
    if lease is None:
        return None
    tokens = read(engine, vault, seen.token_set_id)
    try:
        answer = refresher(tokens)
    except ReconnectNeeded:
        if not _refused(engine, lease, clock()):
            return None  # another has taken over since, and spent the token that we were refused for
        raise
    except (Transient, ConfigurationError):
        _drop_lease(engine, lease, clock())
        raise
    return _store_refreshed(engine, vault, seen, tokens, answer, owner, clock())


def _store_refreshed(
    engine: Engine,
    vault: Vault,
    seen: TokenSet,
    spent: Tokens,
    answer: TokenAnswer,
    owner: str,
    now: datetime,
) -> datetime | None:
    token_set_id, version = seen.token_set_id, seen.version
    expires = now + timedelta(seconds=answer.expires_in)
    sealed = _sealed(vault, token_set_id, answer, spent.refresh)
    with writing(engine, now) as book:
        stored = book.session.exec(
            update(TokenSet)
            .where(col(TokenSet.token_set_id) == token_set_id, col(TokenSet.version) == version)
            .values(
                sealed=sealed,
                expires_at=expires,
                refreshed_at=now,
                version=version + 1,
                lease_owner=None,
                lease_until=None,
            )
            .returning(col(TokenSet.version))
        ).scalar_one_or_none()
        if stored is not None:
            details = {"version": stored}
            book.audit(Entry(owner, "tokens refreshed", "token_set", token_set_id, details=details))
    return expires if stored is not None else None


@dataclass(frozen=True, slots=True)
class _Lease:
    """The right to refresh one version of a token set. ``until`` tells it from a later one."""

    token_set_id: str
    version: int
    until: datetime

    def is_held(self) -> ColumnElement[bool]:
        """The condition under which its holder may still change the set."""
        return (
            (col(TokenSet.token_set_id) == self.token_set_id)
            & (col(TokenSet.version) == self.version)
            & (col(TokenSet.lease_until) == self.until)
        )


def _take_lease(engine: Engine, seen: TokenSet, owner: str, now: datetime) -> _Lease | None:
    with writing(engine, now) as book:
        taken = book.session.exec(
            update(TokenSet)
            .where(
                col(TokenSet.token_set_id) == seen.token_set_id,
                col(TokenSet.version) == seen.version,
                col(TokenSet.lease_until).is_(None) | (col(TokenSet.lease_until) < now),
            )
            .values(lease_owner=owner, lease_until=now + LEASE)
            .returning(col(TokenSet.version))
        ).scalar_one_or_none()
    return None if taken is None else _Lease(seen.token_set_id, taken, now + LEASE)


def _drop_lease(engine: Engine, lease: _Lease, now: datetime) -> None:
    with writing(engine, now) as book:
        book.session.exec(update(TokenSet).where(lease.is_held()).values(lease_owner=None, lease_until=None))


def _refused(engine: Engine, lease: _Lease, now: datetime) -> bool:
    with writing(engine, now) as book:
        marked = book.session.exec(
            update(TokenSet)
            .where(lease.is_held())
            .values(state="refused", lease_owner=None, lease_until=None)
            .returning(col(TokenSet.version))
        ).scalar_one_or_none()
        if marked is not None:
            book.audit(Entry("xero", "tokens refused", "token_set", lease.token_set_id))
    return marked is not None
