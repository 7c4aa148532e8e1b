"""Connects the organisations of a custom connection: ``python -m deployments.connect``."""

import sys

from deployments.provision import ensure_tenant_limits
from duebell.access import unpaced
from duebell.connecting import Connected, connect_custom
from duebell.errors import ConfigurationError, DuebellError
from duebell.resources import Resources, open_resources
from duebell.setting_needs import Use
from duebell.settings import load
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


def main() -> int:
    """Connect, and say what was connected; returns the exit status."""
    try:
        resources = open_resources(load(uses=[Use.XERO]))
        for one in connect(resources):
            sys.stdout.write(f"{told(one)}\n")
    except (ConfigurationError, DuebellError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
