"""The pace of connecting: Prefect's limits of the tenant, where its server is up."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_CLIENT_CSRF_SUPPORT_ENABLED,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    temporary_settings,
)

from deployments.prefect_own import require_ours
from deployments.prefect_server import PrefectServer
from deployments.provision import ensure_tenant_limits
from duebell.books.access import unpaced
from duebell.connecting.connecting import PaceOf
from duebell.settings import Settings
from duebell.xero.asking import Pace
from tasks._prefect import pace_of


def paced(tenant_id: str) -> Pace:
    """The tenant's pace through Prefect's limits, which are made here, when the tenant connects."""
    ensure_tenant_limits(tenant_id)
    return pace_of(tenant_id)


@contextmanager
def pacing(settings: Settings) -> Generator[PaceOf]:
    """The pace of each tenant that is connected inside, though `duebell up` may not run yet.

    Without Prefect's server the ledger's count of calls alone holds a tenant below Xero's limits. Where the
    server comes up meanwhile, the tenants' limits are made at the end; later, `up` makes them at its start.
    """
    if answers(settings):
        with prefect_of(settings):
            yield paced
        return
    unlimited: list[str] = []

    def without_prefect(tenant_id: str) -> Pace:
        unlimited.append(tenant_id)
        return unpaced

    yield without_prefect
    if unlimited and answers(settings):
        with prefect_of(settings):
            for tenant_id in unlimited:
                ensure_tenant_limits(tenant_id)


def answers(settings: Settings) -> bool:
    """Whether Prefect's server is up, the one that the settings name or the one that `duebell up` starts.

    Raises ``ConfigurationError`` where another installation's is at its port.
    """
    try:
        answers_well = httpx.get(f"{_api_url(settings)}/health", timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
    require_ours(settings)
    return answers_well


@contextmanager
def prefect_of(settings: Settings) -> Generator[None]:
    """Let Prefect's own client find that server. Raises ``ConfigurationError`` for an unreadable key."""
    changes: dict[Any, object] = {
        PREFECT_API_URL: _api_url(settings),
        PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False,
    }
    if settings.prefect_api_url:
        if auth_string := settings.prefect_api_auth_string.get_secret_value():
            changes[PREFECT_API_AUTH_STRING] = auth_string
    else:
        changes[PREFECT_API_AUTH_STRING] = _own_server(settings).auth_string
        changes[PREFECT_CLIENT_CSRF_SUPPORT_ENABLED] = False
    with temporary_settings(changes):
        yield


def _api_url(settings: Settings) -> str:
    return settings.prefect_api_url or _own_server(settings).api_url


def _own_server(settings: Settings) -> PrefectServer:
    return PrefectServer(settings.home, settings.prefect_server_api_port)
