"""Doctor's lines on the contact groups that show who stopped: whether each is there and may be written."""

from deployments.doctor_mirror import A_DAY, WHAT
from deployments.findings import Finding
from duebell.books.access import XeroAccess, unpaced
from duebell.books.calls import Purpose
from duebell.connecting.scopes import NO_SCOPE, lacks_scope
from duebell.errors import ConfigurationError, DuebellError
from duebell.ledger import group_lines, late_lines, tenants
from duebell.ledger.engine import reading
from duebell.ledger.tables import Tenant
from duebell.resources import Resources


def look(resources: Resources) -> list[Finding]:
    """Nothing where the policy names no group. Costs each organisation of a group one call to Xero."""
    found: list[Finding] = []
    for tenant in tenants.connected(resources.engine):
        name = resources.policy.for_tenant(tenant.tenant_id).preferences.write_back_group
        if name:
            found.append(_judge(resources, tenant, name))
    return found


def _judge(resources: Resources, tenant: Tenant, name: str) -> Finding:
    with reading(resources.engine) as session:
        counts = group_lines.counts(session, tenant.tenant_id, name)
        off = group_lines.why_off(session, tenant.tenant_id)
        late = late_lines.memberships(session, tenant.tenant_id, name, resources.clock() - A_DAY)
    waiting = sum(counts.get(one, 0) for one in group_lines.UNSETTLED)
    wrong = _why_not(resources, tenant, name) or off
    if wrong:
        said = f"{tenant.name}, group {name}: {wrong}. {waiting} wait; messages do not"
        return Finding(WHAT, said, sound=False)
    said = f"{tenant.name} shows in its group {name} who stopped; {waiting} are still to be shown"
    if late:
        one = late[0]
        said += f", {len(late)} of them for more than a day, as contact {one.contact_id} is ({one.answer})"
    return Finding(WHAT, said, sound=not late)


def _why_not(resources: Resources, tenant: Tenant, name: str) -> str:
    if lacks_scope(resources.engine, tenant.token_set_id):
        return NO_SCOPE
    access = XeroAccess(resources, tenant.tenant_id, unpaced, "doctor", Purpose.DOCTOR)
    try:
        groups = access.ask(access.client.groups.by_name)
    except (ConfigurationError, DuebellError) as error:
        return str(error)
    known = {one.strip().casefold() for one in groups}
    return "" if name.casefold() in known else group_lines.missing(name)
