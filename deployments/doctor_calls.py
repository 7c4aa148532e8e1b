"""Doctor's lines on the calls to Xero: whether it answers, what they were spent on, and who else reminds."""

from deployments.findings import Finding
from duebell.books import counting
from duebell.books.access import XeroAccess, unpaced
from duebell.books.calls import Purpose
from duebell.errors import DuebellError, Postponed
from duebell.ledger import reviewed, tenants
from duebell.ledger.engine import reading
from duebell.ledger.tables import Tenant
from duebell.resources import Resources
from duebell.states import Sending


def asked(resources: Resources, tenant: Tenant) -> Finding:
    """Ask an organisation for itself, once. One that is parked or closed keeps no other from being asked."""
    access = XeroAccess(resources, tenant.tenant_id, unpaced, "doctor", Purpose.DOCTOR)
    named, sending = f"({tenant.tenant_id})", f"its sending is {tenant.sending}{_kept_in(resources, tenant)}"
    try:
        organisation = access.ask(access.client.organisation)
    except Postponed as wait:
        return Finding("Xero", f"{tenant.name} {named} was not asked: {wait}; {sending}")
    except DuebellError as error:
        return Finding("Xero", f"{tenant.name} {named}: {error}", sound=False)
    return Finding("Xero", f"{organisation.name} {named} is connected, {sending}")


def _kept_in(resources: Resources, tenant: Tenant) -> str:
    """What keeps its messages in, where anything does."""
    if tenant.sending == Sending.REVIEW:
        return ": `duebell go-live` lets it send"
    with reading(resources.engine) as session:
        count = reviewed.counts(session).get(tenant.tenant_id, 0)
    ceiling = resources.settings.sending
    if ceiling is not Sending.LIVE:
        return f", and DUEBELL_SENDING={ceiling.value} keeps it to that"
    if not count:
        return ""
    return f", and {count} messages wait that DUEBELL_SENDING had kept in: `duebell go-live` ends that"


def look(resources: Resources) -> list[Finding]:
    """What the calls of each connected organisation were spent on today, and Xero's own reminders."""
    engine, now = resources.engine, resources.clock()
    findings: list[Finding] = []
    for tenant in tenants.connected(engine):
        spent = counting.spent_today(engine, tenant.tenant_id, now=now)
        findings.append(Finding(f"calls to Xero of {tenant.name}", spent.sentence()))
        if resources.policy.for_tenant(tenant.tenant_id).invoice_overdue.enabled:
            findings += _reminders(tenant)
    return findings


def _reminders(tenant: Tenant) -> list[Finding]:
    if tenant.xero_reminders is None:
        return []
    what = f"Xero's own reminders of {tenant.name}"
    if not tenant.xero_reminders:
        return [Finding(what, "are off: nobody is chased twice")]
    mend = (
        "are on, and so is [invoice_overdue] of the policy: customers are chased twice. Turn them off in "
        "Xero (Settings, Invoice settings, Invoice reminders), or set enabled = false in the policy"
    )
    return [Finding(what, mend, sound=False)]
