"""Consents as rows: asked for once, answered once by the browser, used up once; and what they cover."""

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, exists, update
from sqlmodel import col, select

from duebell.audit import Entry
from duebell.ledger.engine import reading
from duebell.ledger.tables import Consent, Tenant, TokenSet
from duebell.ledger.token_sets import REPLACED, VALID
from duebell.ledger.writing import Writing, writing
from duebell.states import TenantState

GRANT = "authorization_code"
KEPT = timedelta(days=1)
"""How long a consent that is over is kept; later it is answered like one that nobody asked for."""


def ask(
    engine: Engine, state_hash: str, sealed: str, redirect_uri: str, *, expires: datetime, now: datetime
) -> None:
    """Write down that a person is being asked, before they are."""
    with writing(engine, now) as book:
        book.session.exec(delete(Consent).where(col(Consent.expires_at) < now - KEPT))
        row = Consent(state_hash=state_hash, redirect_uri=redirect_uri, asked_at=now, expires_at=expires)
        row.sealed = sealed
        book.session.add(row)
        book.audit(Entry("connect", "consent asked", "consent", state_hash))


def answer(
    engine: Engine, state_hash: str, seal_answer: Callable[[str], str], refused_why: str, *, now: datetime
) -> bool:
    """Keep what the browser brought back, once; ``seal_answer`` turns what is sealed into what is to be.

    False, and nothing is changed, for a consent that nobody asked for, that is over, or that was answered.
    The row is looked up by the state's hash, so the time that this takes tells nothing of any state.
    """
    waits = (
        (col(Consent.state_hash) == state_hash)
        & col(Consent.answered_at).is_(None)
        & (col(Consent.expires_at) > now)
    )
    with writing(engine, now) as book:
        sealed = book.session.exec(select(Consent.sealed).where(waits)).one_or_none()
        if sealed is None:
            return False
        values = {"answered_at": now, "sealed": seal_answer(sealed), "refused_why": refused_why}
        kept = book.session.exec(
            update(Consent).where(waits).values(**values).returning(col(Consent.state_hash))
        ).scalar_one_or_none()
        if kept is not None:
            details = {"refused_why": refused_why}
            book.audit(Entry("receiver", "consent answered", "consent", state_hash, details=details))
    return kept is not None


def is_answered(engine: Engine, state_hash: str) -> bool:
    """Whether the browser came back."""
    with reading(engine) as session:
        wanted = select(Consent.answered_at).where(Consent.state_hash == state_hash)
        return session.exec(wanted).one_or_none() is not None


@dataclass(frozen=True, slots=True)
class Answered:
    """What the browser brought back: sealed verifier and code, or why there is no code."""

    sealed: str
    redirect_uri: str
    refused_why: str


def use(engine: Engine, state_hash: str, *, now: datetime) -> Answered | None:
    """Use an answered consent up, once: verifier and code are gone then. ``None`` where there is none."""
    with writing(engine, now) as book:
        row = book.session.get(Consent, state_hash)
        if row is None or row.answered_at is None:
            return None
        answered = Answered(row.sealed, row.redirect_uri, row.refused_why)
        used = book.session.exec(
            update(Consent)
            .where(col(Consent.state_hash) == state_hash, col(Consent.used_at).is_(None))
            .values(used_at=now, sealed="")
            .returning(col(Consent.state_hash))
        ).scalar_one_or_none()
    return answered if used is not None else None


USER = ":user:"


def token_set_id_for(client_id: str, user_id: str) -> str:
    """The id of the token set of a consent.

    Xero's tokens are per user and app, not per organisation (XeroAPI/Xero-OpenAPI#585): what a person agrees
    to later replaces their earlier tokens, for every organisation. So the set is named after app and user,
    and a new consent falls on the row that their tenants rest on already. Where the token does not say whose
    it is, every consent gets a set of its own, and :func:`carry_over` brings the tenants along.
    """
    return f"{GRANT}:{client_id}{USER}{user_id}" if user_id else f"{GRANT}:{client_id}:{uuid.uuid4()}"


def goes_over(current: str, token_set_id: str, *, sound: bool) -> bool:
    """Whether a tenant that a new consent covers is to rest on its token set, in place of the current one.

    Only what is sound of another user of the same app stays: those tokens live on, and whether they should
    be given up is nothing that a consent for another organisation decides.
    """
    named = USER in current and USER in token_set_id
    same_app = current.split(":")[:2] == token_set_id.split(":")[:2]
    return not (sound and named and same_app) or current == token_set_id


def carry_over(
    engine: Engine, token_set_id: str, tenant_ids: Collection[str], *, now: datetime
) -> tuple[str, ...]:
    """Rest the known ones of these tenants on a new token set, and open them again; returns which they are.

    Other token sets that no tenant rests on any longer are emptied.
    """
    with writing(engine, now) as book:
        rows = book.session.exec(
            select(Tenant, TokenSet)
            .join(TokenSet, col(TokenSet.token_set_id) == col(Tenant.token_set_id))
            .where(col(Tenant.tenant_id).in_(tenant_ids))
            .order_by(col(Tenant.tenant_id))
        ).all()
        moving = [
            tenant
            for tenant, held in rows
            if goes_over(tenant.token_set_id, token_set_id, sound=held.state == VALID)
        ]
        left = {tenant.token_set_id for tenant in moving} - {token_set_id}
        for tenant in moving:
            _rest_on(book, tenant, token_set_id)
        book.session.flush()
        _empty(book, left)
    return tuple(tenant.tenant_id for tenant in moving)


def _rest_on(book: Writing, tenant: Tenant, token_set_id: str) -> None:
    if (tenant.token_set_id, tenant.state) == (token_set_id, TenantState.CONNECTED.value):
        return
    tenant.token_set_id, tenant.state = token_set_id, TenantState.CONNECTED.value
    details = {"token_set": token_set_id}
    tenant_id = tenant.tenant_id
    book.audit(Entry("connect", "tenant carried over", "tenant", tenant_id, tenant_id, details=details))


def _empty(book: Writing, token_set_ids: Collection[str]) -> None:
    rests = exists(select(Tenant.tenant_id).where(col(Tenant.token_set_id) == col(TokenSet.token_set_id)))
    emptied = book.session.exec(
        update(TokenSet)
        .where(col(TokenSet.token_set_id).in_(token_set_ids), ~rests)
        .values(state=REPLACED, sealed="", lease_owner=None, lease_until=None)
        .returning(col(TokenSet.token_set_id))
    ).scalars()
    for token_set_id in sorted(emptied):
        book.audit(Entry("connect", "tokens replaced", "token_set", token_set_id))


def standing(engine: Engine) -> Sequence[tuple[TokenSet, Tenant]]:
    """Every tenant with the token set that it rests on, in the order of their connection."""
    with reading(engine) as session:
        return session.exec(
            select(TokenSet, Tenant)
            .join(Tenant, col(Tenant.token_set_id) == col(TokenSet.token_set_id))
            .order_by(col(Tenant.connected_at), col(Tenant.tenant_id))
        ).all()
