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
        if not lets_in(server.api_url, "") and lets_in(server.api_url, server.auth_string):
            return
    except httpx.HTTPError:
        return
    raise ConfigurationError(
        f"what answers at {server.api_url} is not the Prefect server of this installation, but another's: "
        "give this one a port of its own with PREFECT_SERVER_API_PORT (or, if `duebell up` was given a "
        "PREFECT_SERVER_API_AUTH_STRING, give it here too)"
    )


def lets_in(api_url: str, auth_string: str) -> bool:
    """Whether it answers who shows it this ``user:password``, or none: its health alone it tells everybody.

    Raises ``httpx.HTTPError`` where it does not answer.
    """
    user, _, password = auth_string.partition(":")
    auth = (user, password) if user else None
    answer = httpx.get(f"{api_url}/admin/version", auth=auth, timeout=SECONDS, trust_env=False)
    return answer.status_code not in {401, 403}
