"""Organisations that were closed to us: each closing is told of once, wherever it was found."""

from sqlalchemy import Engine
from sqlmodel import Session, func, select

from duebell.audit import Entry
from duebell.clock import Clock
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit, Tenant
from duebell.ledger.tenants import CLOSED
from duebell.ledger.writing import writing
from duebell.states import TenantState

TOLD = "closing of tenant told"


def newly_closed(engine: Engine, clock: Clock) -> tuple[str, ...]:
    """The tenants that were closed since this was last asked, in the order of their ids."""
    with reading(engine) as session:
        closed = session.exec(
            select(Tenant.tenant_id).where(Tenant.state == TenantState.DISCONNECTED.value)
        ).all()
        untold = [one for one in sorted(closed) if _is_untold(session, one)]
    if not untold:
        return ()
    with writing(engine, clock()) as book:
        untold = [one for one in untold if _is_untold(book.session, one)]
        for one in untold:
            book.audit(Entry("poll", TOLD, "tenant", one, one))
    return tuple(untold)


def _is_untold(session: Session, tenant_id: str) -> bool:
    return _last(session, tenant_id, CLOSED) > _last(session, tenant_id, TOLD)


def _last(session: Session, tenant_id: str, action: str) -> int:
    """The place in the trail where it was last said of the tenant; 0 where it never was."""
    said = select(func.max(Audit.sequence)).where(Audit.tenant_id == tenant_id, Audit.action == action)
    return session.exec(said).one() or 0
