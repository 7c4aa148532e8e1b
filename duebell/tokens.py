"""Token sets: stored encrypted, refreshed before they expire, by one writer at a time.

A refresh token rotates: two refreshers at once would leave the one that is stored last with a token that
Xero has retired. So: lease, look again, refresh, commit, and only then use.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import Engine
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_random

from duebell.audit import Entry
from duebell.clock import AHEAD, Clock
from duebell.errors import ConfigurationError, ReconnectNeeded, Transient
from duebell.failpoints import fail_point
from duebell.ledger.tables import TokenSet
from duebell.ledger.token_sets import (
    LEASE,
    VALID,
    Lease,
    drop_lease,
    keep_refreshed,
    mark_refused,
    revive,
    still_holds,
    take_lease,
    usable,
)
from duebell.ledger.writing import writing
from duebell.vault import Vault
from duebell.xero.identity import TokenAnswer

EARLY = timedelta(minutes=5)
"""A token is refreshed this long before Xero ends it."""

GRACE = timedelta(minutes=30)
"""How long a refresh token that was rotated still works (Xero's staff, community.xero.com 105714701)."""

PURPOSE = "xero token set"
log = logging.getLogger("duebell.tokens")


@dataclass(frozen=True, slots=True)
class Tokens:
    """A token set in clear, for the moment of its use. Its secrets print as asterisks."""

    access: SecretStr
    refresh: SecretStr | None
    previous_refresh: SecretStr | None
    expires_at: datetime
    refreshed_at: datetime


def store(
    engine: Engine,
    vault: Vault,
    token_set_id: str,
    grant: str,
    answer: TokenAnswer,
    *,
    now: datetime,
    consented: bool = False,
) -> None:
    """Keep a new token set, or put it in the place of an older one; tenants that rested on that go on.

    ``consented``: a person agreed to it just now, in the browser.
    """
    with writing(engine, now) as book:
        row = book.session.get(TokenSet, token_set_id)
        if row is None:
            row = TokenSet(token_set_id=token_set_id, grant=grant, expires_at=now, refreshed_at=now)
        row.grant, row.state = grant, VALID
        row.sealed = _sealed(vault, token_set_id, answer, None)
        row.scopes = " ".join(answer.scopes)
        row.consented_at = now if consented else row.consented_at
        row.expires_at = now + timedelta(seconds=answer.expires_in)
        row.refreshed_at = now
        row.version += 1
        row.lease_until = None
        book.session.add(row)
        book.audit(Entry("connect", "tokens stored", "token_set", token_set_id, details={"grant": grant}))
        revive(book, token_set_id)


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
    row = usable(engine, token_set_id)
    data = vault.open(PURPOSE, token_set_id, row.sealed)
    return Tokens(
        SecretStr(str(data["access"])),
        _secret(data, "refresh"),
        _secret(data, "previous_refresh"),
        row.expires_at,
        row.refreshed_at,
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
        row, now = usable(engine, token_set_id), clock()
        stale = force is not None and (row.refreshed_at <= force or row.refreshed_at > now + AHEAD)
        if not stale and row.expires_at - EARLY > now:
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


def _refresh(
    engine: Engine, vault: Vault, seen: TokenSet, refresher: Refresher, owner: str, clock: Clock
) -> datetime | None:
    """Refresh under the lease; ``None`` where another holds it, or has refreshed since we looked."""
    lease = take_lease(engine, seen, owner, clock())
    if lease is None:
        return None
    try:
        tokens = read(engine, vault, seen.token_set_id)
        answer, spent = _asked(engine, lease, tokens, refresher, clock)
    except ReconnectNeeded:
        if not mark_refused(engine, lease, clock()):
            return None  # another has taken over since, and spent the token that we were refused for
        why = "Xero refuses token set %s: its organisations rest until `duebell connect`"
        log.error(why, seen.token_set_id)  # noqa: TRY400 -- the text says it all
        raise
    except (Transient, ConfigurationError):
        drop_lease(engine, lease, clock())
        raise
    fail_point("tokens-answered")
    now = clock()
    expires = now + timedelta(seconds=answer.expires_in)
    sealed = _sealed(vault, seen.token_set_id, answer, spent.refresh)
    scopes = " ".join(answer.scopes)
    kept = keep_refreshed(engine, lease, sealed, scopes, owner, expires=expires, now=now)
    return expires if kept else None


def _asked(
    engine: Engine, lease: Lease, tokens: Tokens, refresher: Refresher, clock: Clock
) -> tuple[TokenAnswer, Tokens]:
    """New tokens, and the ones that were spent for them: the newest, or once the ones before.

    Xero keeps a rotated refresh token alive for 30 minutes. That helps where the newest was stored by the
    loser of two refreshers, and is one try only. Raises ``ReconnectNeeded`` where it does not help.
    """
    try:
        return refresher(tokens), tokens
    except ReconnectNeeded:
        in_grace = tokens.previous_refresh and clock() - tokens.refreshed_at < GRACE
        if not in_grace or not still_holds(engine, lease):
            raise
        before = replace(tokens, refresh=tokens.previous_refresh, previous_refresh=None)
        return refresher(before), before
