"""Notifications and tenants as they stand now."""

from collections.abc import Sequence

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from duebell.ledger.built_once import built_once
from duebell.ledger.tables import Notification, Tenant


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
    return wanted.order_by(col(Notification.notification_id))


def tenant(session: Session, tenant_id: str) -> Tenant | None:
    """The tenant with this id, if it was ever connected."""
    return _tenant(session, tenant_id).one_or_none()


@built_once
def _tenant(tenant_id: str) -> SelectOfScalar[Tenant]:
    return select(Tenant).where(Tenant.tenant_id == tenant_id)
