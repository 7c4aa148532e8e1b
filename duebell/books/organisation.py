"""What Xero says of an organisation itself, kept in step once a day."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from duebell.audit import Entry
from duebell.books.access import XeroAccess
from duebell.errors import Permanent, Postponed, RateLimited, TenantDisconnected, Transient
from duebell.ledger import themes
from duebell.ledger.tables import Tenant
from duebell.ledger.tenants import describe
from duebell.ledger.writing import writing

KEEPS = timedelta(days=1)
"""How long what Xero said serves. The Organisation endpoint costs no egress, but it counts as a call."""

DESCRIBED = ("name", "legal_name", "short_code", "base_currency", "country", "timezone", "xero_reminders")


T = TypeVar("T")


def refresh(access: XeroAccess) -> bool:
    """Read the organisation, whether Xero itself reminds, and the names of the branding themes.

    At most once a day; returns whether they were read. Raises what the client raises for the organisation,
    and what puts off or limits calls. That Xero does not tell of the others is no error: they stay as known.
    """
    now, tenant = access.resources.clock(), access.tenant
    if tenant.organisation_read_at is not None and now - tenant.organisation_read_at < KEEPS:
        return False
    organisation = access.ask(access.client.organisation)
    _keep(access, now, lambda row: describe(row, organisation))
    reminds = _if_told(access, access.client.sends_reminders)
    named = _if_told(access, access.client.branding_themes)

    def complete(row: Tenant) -> None:
        row.organisation_read_at = now
        row.xero_reminders = row.xero_reminders if reminds is None else reminds
        row.branding_themes = row.branding_themes if named is None else themes.written(named)

    _keep(access, now, complete)
    return True


def _keep(access: XeroAccess, now: datetime, change: Callable[[Tenant], None]) -> None:
    """Change the organisation's row, and say in the trail what of its description is another now."""
    with writing(access.resources.engine, now) as book:
        row = book.session.get_one(Tenant, access.tenant.tenant_id, with_for_update=True)
        before = {name: getattr(row, name) for name in DESCRIBED}
        change(row)
        changed = [name for name, value in before.items() if getattr(row, name) != value]
        if changed:
            what = {"changed": ", ".join(changed)}
            book.audit(
                Entry("xero", "organisation changed", "tenant", row.tenant_id, row.tenant_id, details=what)
            )


def _if_told(access: XeroAccess, call: Callable[[], T]) -> T | None:
    """What Xero answers; ``None`` where it does not say, cannot say now, or may not tell us."""
    try:
        return access.ask(call)
    except (TenantDisconnected, Postponed, RateLimited):
        raise
    except (Permanent, Transient):
        return None
