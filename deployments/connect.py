"""What `duebell up` connects at its start, without a person: ``python -m deployments.connect``."""

import sys
from collections.abc import Sequence
from contextlib import closing

from deployments.connect_pace import paced
from deployments.opening import ledger_in_words
from duebell.books.access import unpaced
from duebell.connecting.connecting import Connected, PaceOf, connect_custom, finish
from duebell.errors import ConfigurationError, DuebellError, Transient
from duebell.ledger import consents, tenants
from duebell.ledger.tables import Tenant
from duebell.resources import Resources, open_resources
from duebell.setting_needs import Use
from duebell.settings import Grant, load
from duebell.states import TenantState
from duebell.visible import visible

NOT_YET = "no organisation is connected yet: run `duebell connect` in another terminal"


def connect(resources: Resources, pace_of: PaceOf, tenant_ids: Sequence[str] = ()) -> tuple[Connected, ...]:
    """Connect what a custom connection opens, or those of it that were named.

    Raises ``ConfigurationError`` and what reading Xero raises.
    """
    return connect_custom(resources, pace_of, unpaced, tenant_ids)


def told(connected: Connected) -> str:
    """What a person reads about a connection that was made."""
    if not connected.known:
        return f"{connected.name}: connected"
    news = f", {connected.news} of them since it was connected" if connected.news else ""
    return f"{connected.name}: connected; {connected.known} invoices read{news}; old ones stay untold"


def at_start(resources: Resources) -> list[str]:
    """Connect a custom connection, or go on with what people consented to; returns what a person is told."""
    if resources.settings.xero_grant is Grant.AUTHORIZATION_CODE:
        return go_on(resources, paced)
    try:
        return [told(one) for one in connect(resources, paced)]
    except Transient as error:
        return [_go_on_without(resources, error)]


def go_on(resources: Resources, pace_of: PaceOf) -> list[str]:
    """Have every connected tenant's limits, and end a first sync that was cut off.

    Raises ``ConfigurationError`` where nothing is connected and the settings would let nothing be.
    """
    standing = [tenant for _, tenant in consents.standing(resources.engine)]
    if not standing:
        resources.settings.require(Use.XERO_CONSENT)
        return [NOT_YET]
    return [_gone_on(resources, tenant, pace_of) for tenant in standing]


def _gone_on(resources: Resources, tenant: Tenant, pace_of: PaceOf) -> str:
    if tenant.state != TenantState.CONNECTED:
        return f"{tenant.name}: {tenant.state}, and rests until `duebell connect`"
    try:
        return told(finish(resources, tenant.tenant_id, pace_of(tenant.tenant_id)))
    except DuebellError as error:
        return f"{tenant.name}: {error}"


def _go_on_without(resources: Resources, error: Transient) -> str:
    """Xero being away is no reason to stay down. Raises the error where nothing was connected before."""
    before = [tenant for tenant in tenants.connected(resources.engine) if tenant.synced_at is not None]
    if not before:
        raise error
    names = ", ".join(tenant.name for tenant in before)
    return f"Xero cannot be reached now ({error}): going on with {names}, connected before"


def main() -> int:
    """Connect, and say what was connected; returns the exit status."""
    try:
        with ledger_in_words(), closing(open_resources(load(uses=[Use.XERO]))) as resources:
            lines = at_start(resources)
        sys.stdout.write("".join(f"{visible(line)}\n" for line in lines))
    except (ConfigurationError, DuebellError) as error:
        sys.stderr.write(f"{visible(str(error))}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
