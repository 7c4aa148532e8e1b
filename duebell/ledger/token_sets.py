"""Token sets as rows: who may refresh one, what a refresh leaves behind, and whom a refusal closes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, exists, update
from sqlmodel import col, select

from duebell.audit import Entry
from duebell.errors import ConfigurationError, ReconnectNeeded
from duebell.ledger.engine import reading
from duebell.ledger.tables import Tenant, TokenSet
from duebell.ledger.writing import Writing, writing
from duebell.states import TenantState

LEASE = timedelta(seconds=75)
"""Longer than the token endpoint may take to answer, which is a minute."""

VALID, REFUSED, REPLACED = "valid", "refused", "replaced"


def usable(engine: Engine, token_set_id: str) -> TokenSet:
    """The row of a set that Xero has not refused.

    Raises ``ConfigurationError`` where there is none, ``ReconnectNeeded`` where it is over.
    """
    with reading(engine) as session:
        row = session.get(TokenSet, token_set_id)
    if row is None:
        raise ConfigurationError(f"token set {token_set_id} is not there: run `duebell connect`")
    if row.state != VALID:
        raise ReconnectNeeded(f"token set {token_set_id} was refused by Xero: run `duebell connect`")
    return row


@dataclass(frozen=True, slots=True)
class Lease:
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


def take_lease(engine: Engine, seen: TokenSet, owner: str, now: datetime) -> Lease | None:
    """The lease on the version that was seen; nothing where another holds one, or has refreshed since."""
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
    return None if taken is None else Lease(seen.token_set_id, taken, now + LEASE)


def still_holds(engine: Engine, lease: Lease) -> bool:
    """Whether nobody has refreshed the set, or taken the lease over, since it was taken."""
    with reading(engine) as session:
        held = session.exec(select(TokenSet.version).where(lease.is_held())).one_or_none()
    return held is not None


def drop_lease(engine: Engine, lease: Lease, now: datetime) -> None:
    """Leave the way free for the next."""
    with writing(engine, now) as book:
        book.session.exec(update(TokenSet).where(lease.is_held()).values(lease_owner=None, lease_until=None))


def keep_refreshed(
    engine: Engine, lease: Lease, sealed: str, scopes: str, owner: str, *, expires: datetime, now: datetime
) -> bool:
    """Put new tokens in the place of the version that was leased; false where another was first.

    By the version alone: a refresher whose lease lapsed has the newest tokens all the same, as long as nobody
    has stored others. ``scopes`` are kept as they were where Xero told none.
    """
    values: dict[str, object] = {
        "sealed": sealed,
        "expires_at": expires,
        "refreshed_at": now,
        "version": lease.version + 1,
        "lease_owner": None,
        "lease_until": None,
    }
    with writing(engine, now) as book:
        stored = book.session.exec(
            update(TokenSet)
            .where(col(TokenSet.token_set_id) == lease.token_set_id, col(TokenSet.version) == lease.version)
            .values(**values, **({"scopes": scopes} if scopes else {}))
            .returning(col(TokenSet.version))
        ).scalar_one_or_none()
        if stored is not None:
            details = {"version": stored}
            book.audit(Entry(owner, "tokens refreshed", "token_set", lease.token_set_id, details=details))
    return stored is not None


def mark_refused(engine: Engine, lease: Lease, now: datetime) -> bool:
    """Xero refused the set for good: it and its tenants rest until a person consents again.

    False where another process has taken the lease over or has stored other tokens meanwhile.
    """
    with writing(engine, now) as book:
        marked = book.session.exec(
            update(TokenSet)
            .where(lease.is_held())
            .values(state=REFUSED, lease_owner=None, lease_until=None)
            .returning(col(TokenSet.version))
        ).scalar_one_or_none()
        if marked is None:
            return False
        book.audit(Entry("xero", "tokens refused", "token_set", lease.token_set_id))
        _turn(book, lease.token_set_id, TenantState.CONNECTED, TenantState.REFUSED, "tenant paused")
    return True


def revive(book: Writing, token_set_id: str) -> None:
    """Let the tenants go on that rested because this set was refused."""
    _turn(book, token_set_id, TenantState.REFUSED, TenantState.CONNECTED, "tenant goes on")


def _turn(book: Writing, token_set_id: str, before: TenantState, after: TenantState, action: str) -> None:
    turned = book.session.exec(
        update(Tenant)
        .where(col(Tenant.token_set_id) == token_set_id, col(Tenant.state) == before.value)
        .values(state=after.value)
        .returning(col(Tenant.tenant_id))
    ).scalars()
    for tenant_id in sorted(turned):
        book.audit(Entry("xero", action, "tenant", tenant_id, tenant_id, details={"token_set": token_set_id}))


def not_refreshed_since(engine: Engine, grant: str, since: datetime) -> Sequence[str]:
    """The valid sets of a grant that tenants rest on and that were last refreshed at that time or before."""
    in_use = exists(select(Tenant.tenant_id).where(col(Tenant.token_set_id) == col(TokenSet.token_set_id)))
    with reading(engine) as session:
        return session.exec(
            select(TokenSet.token_set_id)
            .where(
                TokenSet.grant == grant, TokenSet.state == VALID, col(TokenSet.refreshed_at) <= since, in_use
            )
            .order_by(col(TokenSet.token_set_id))
        ).all()
