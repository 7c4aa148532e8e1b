"""Doctor's lines on how each organisation's changes come in: by webhook, and by polling."""

from datetime import datetime, timedelta

from deployments.findings import Finding
from duebell.books.calls import utc
from duebell.books.parking import UNREAD
from duebell.ledger import credits, polls, tenants
from duebell.ledger.tables import Tenant
from duebell.policy_file.overdue import CreditHolds
from duebell.policy_file.policy import PollingPolicy
from duebell.resources import Resources
from duebell.showing.reporting_webhooks import told_of

LATE = timedelta(minutes=15)
"""How much later than the policy wants it polling may be: its schedule looks every five minutes."""


def look(resources: Resources) -> list[Finding]:
    """For each connected organisation: since when its webhooks are silent, its last poll, its credit."""
    polling, now = resources.policy.polling, resources.clock()
    findings: list[Finding] = []
    for tenant in tenants.connected(resources.engine):
        if tenant.synced_at is None:
            findings.append(_unread(tenant))
            continue
        findings += [_webhooks(resources, tenant), polled(tenant, polling, now), _credit(resources, tenant)]
    return findings


def _unread(tenant: Tenant) -> Finding:
    return Finding(f"first read of {tenant.name}", UNREAD, sound=False)


def _credit(resources: Resources, tenant: Tenant) -> Finding:
    what = f"unallocated credit of {tenant.name}"
    holds = resources.policy.for_tenant(tenant.tenant_id).invoice_overdue.credit
    if holds is CreditHolds.IGNORE:
        return Finding(what, "is not looked at, by the policy's credit")
    read_at = credits.last_read(resources.engine, tenant.tenant_id)
    said = f"read {utc(read_at)}" if read_at else "not read yet; it is before the first reminder"
    if polls.lacks_payments_scope(resources.engine, tenant.tenant_id):
        said += (
            ": credit notes alone, for the consent opens no prepayments and overpayments; those hold nothing"
        )
    return Finding(what, said)


def _webhooks(resources: Resources, tenant: Tenant) -> Finding:
    what = f"webhooks of {tenant.name}"
    if tenant.webhooks_suspect_at is not None:
        return Finding(what, told_of(resources.engine, tenant).message, sound=False)
    if tenant.webhook_at is None:
        return Finding(what, "none has come yet; polling alone brings the changes")
    return Finding(what, f"silent since {utc(tenant.webhook_at)}")


def polled(tenant: Tenant, polling: PollingPolicy, now: datetime) -> Finding:
    """When an organisation was last asked what changed, and up to where by Xero's own clock."""
    what = f"polling of {tenant.name}"
    if not polling.enabled or tenant.tenant_id in polling.not_for:
        return Finding(what, "is off by [polling] of the policy: what webhooks do not tell stays unknown")
    if tenant.polled_at is None:
        return Finding(what, "has not asked yet; `duebell up` does so within five minutes")
    read_to = f", and has read up to {utc(tenant.invoices_cursor)}" if tenant.invoices_cursor else ""
    said = f"last asked {utc(tenant.polled_at)}{read_to}"
    is_parked = tenant.parked_until is not None and tenant.parked_until > now
    if is_parked or now - tenant.polled_at <= timedelta(minutes=polling.every_minutes) + LATE:
        return Finding(what, said)
    return Finding(what, f"{said}: look in Prefect for the runs of `poll-xero`", sound=False)
