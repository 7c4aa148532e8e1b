"""Connects the organisations of a custom connection: ``python -m deployments.connect``."""

import sys
from contextlib import closing

from deployments.provision import ensure_tenant_limits
from duebell.access import unpaced
from duebell.connecting import Connected, connect_custom
from duebell.errors import ConfigurationError, DuebellError, Transient
from duebell.ledger import tenants
from duebell.resources import Resources, open_resources
from duebell.setting_needs import Use
from duebell.settings import Grant, Settings, load
from duebell.xero.client import Pace
from tasks._prefect import pace_of


def paced(tenant_id: str) -> Pace:
    """The tenant's pace through Prefect's limits, which are made here, when the tenant connects."""
    ensure_tenant_limits(tenant_id)
    return pace_of(tenant_id)


def connect(resources: Resources) -> tuple[Connected, ...]:
    """Connect what the credentials open. Raises ``ConfigurationError`` and what reading Xero raises."""
    return connect_custom(resources, paced, unpaced)


def told(connected: Connected) -> str:
    """What a person reads about a connection that was made."""
    if not connected.known:
        return f"{connected.name}: connected"
    news = f", {connected.news} of them since it was connected" if connected.news else ""
    return f"{connected.name}: connected; {connected.known} invoices read{news}; old ones stay untold"


def _require_custom_connection(settings: Settings) -> None:
    if settings.xero_grant is not Grant.CLIENT_CREDENTIALS:
        raise ConfigurationError(
            "XERO_GRANT is authorization_code, and connecting in the browser is not ready yet: make a custom "
            "connection at developer.xero.com/app/manage and set XERO_GRANT=client_credentials"
        )


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
        settings = load(uses=[Use.XERO])
        _require_custom_connection(settings)
        with closing(open_resources(settings)) as resources:
            try:
                lines = [told(one) for one in connect(resources)]
            except Transient as error:
                lines = [_go_on_without(resources, error)]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    except (ConfigurationError, DuebellError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
