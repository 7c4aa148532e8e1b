"""Whether what answers at the port of our own Prefect server is it, and not another installation's."""

import httpx

from deployments.prefect_server import PrefectServer
from duebell.errors import ConfigurationError
from duebell.settings import Settings

SECONDS = 5.0


def require_ours(settings: Settings) -> None:
    """Raise ``ConfigurationError`` for a server that asks for no password, or for another one than ours.

    Nothing where the settings name a server, or where none answers.
    """
    if settings.prefect_api_url:
        return
    server = PrefectServer(settings.home, settings.prefect_server_api_port)
    try:
        if not _lets_in(server, None):
            user, _, password = server.auth_string.partition(":")
            if _lets_in(server, (user, password)):
                return
    except httpx.HTTPError:
        return
    raise ConfigurationError(
        f"what answers at {server.api_url} is not the Prefect server of this installation, but another's: "
        "give this one a port of its own with PREFECT_SERVER_API_PORT (or, if `duebell up` was given a "
        "PREFECT_SERVER_API_AUTH_STRING, give it here too)"
    )


def _lets_in(server: PrefectServer, auth: tuple[str, str] | None) -> bool:
    """Its health alone is told to everybody."""
    url = f"{server.api_url}/admin/version"
    return httpx.get(url, auth=auth, timeout=SECONDS, trust_env=False).status_code not in {401, 403}
