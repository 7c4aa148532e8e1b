"""Rows as they stand now, by what names them."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.ledger.built_once import built_once
from duebell.ledger.tables import Attempt, Brake, Notification, Tenant


def notification(session: Session, notification_id: int) -> Notification:
    """The notification as it stands now, also where this session has read it before."""
    return _with_id(session, notification_id).one()


@built_once
def _with_id(notification_id: int) -> SelectOfScalar[Notification]:
    wanted = select(Notification).where(Notification.notification_id == notification_id)
    return wanted.execution_options(populate_existing=True)


def of_invoices(
    session: Session, tenant_id: str, kind: str, invoice_ids: Sequence[str]
) -> list[Notification]:
    """The notifications of a kind about these invoices, oldest first."""
    return list(_about(session, tenant_id, kind, invoice_ids).all())


@built_once
def _about(tenant_id: str, kind: str, invoice_ids: Sequence[str]) -> SelectOfScalar[Notification]:
    wanted = select(Notification).where(
        Notification.tenant_id == tenant_id,
        Notification.kind == kind,
        col(Notification.invoice_id).in_(invoice_ids),
    )
    return wanted.order_by(col(Notification.notification_id)).execution_options(populate_existing=True)


def tenant(session: Session, tenant_id: str) -> Tenant | None:
    """The tenant with this id as it stands now, if it was ever connected."""
    return _tenant(session, tenant_id).one_or_none()


@built_once
def _tenant(tenant_id: str) -> SelectOfScalar[Tenant]:
    wanted = select(Tenant).where(Tenant.tenant_id == tenant_id)
    return wanted.execution_options(populate_existing=True)


def brake(session: Session, scope: str) -> Brake | None:
    """The brake of this scope, if it was ever touched."""
    return _brake(session, scope).one_or_none()


@built_once
def _brake(scope: str) -> SelectOfScalar[Brake]:
    return select(Brake).where(Brake.scope == scope)


def attempt(session: Session, attempt_id: str) -> Attempt:
    """The attempt, for who only looks."""
    return _attempt(session, attempt_id).one()


def locked_attempt(session: Session, attempt_id: str) -> Attempt:
    """The attempt, for this transaction alone."""
    return _lock_attempt(session, attempt_id).one()


@built_once
def _attempt(attempt_id: str) -> SelectOfScalar[Attempt]:
    return select(Attempt).where(Attempt.attempt_id == attempt_id)


@built_once
def _lock_attempt(attempt_id: str) -> SelectOfScalar[Attempt]:
    wanted = select(Attempt).where(Attempt.attempt_id == attempt_id)
    return wanted.with_for_update().execution_options(populate_existing=True)


def other_attempts(session: Session, notification_id: int, attempt_id: str) -> Sequence[Attempt]:
    """The attempts of a notification but this one."""
    return _beside(session, notification_id, attempt_id).all()


@built_once
def _beside(notification_id: int, attempt_id: str) -> SelectOfScalar[Attempt]:
    return select(Attempt).where(Attempt.notification_id == notification_id, Attempt.attempt_id != attempt_id)


def is_said_again() -> ColumnElement[bool]:
    """Whether there is a later message of the same news to the same person, which a person asked for."""
    later = aliased(Notification)
    same = (
        col(getattr(later, name)) == col(getattr(Notification, name))
        for name in ("tenant_id", "kind", "subject_id", "step", "recipient")
    )
    return exists(
        select(later.notification_id).where(*same, col(later.generation) > col(Notification.generation))
    )


def is_of_tenant(tenant_id: str) -> ColumnElement[bool]:
    """Whether a notification is one of this tenant's, for a statement that leaves few without it.

    Asked of the column itself, SQLite would find them by the tenant: all that it was ever told.
    """
    return func.coalesce(col(Notification.tenant_id), "") == tenant_id


def attempt_is_of_tenant(tenant_id: str) -> ColumnElement[bool]:
    """The same of an attempt."""
    return exists(
        select(Notification.notification_id)
        .where(col(Notification.notification_id) == col(Attempt.notification_id), is_of_tenant(tenant_id))
        .correlate(Attempt)
    )
