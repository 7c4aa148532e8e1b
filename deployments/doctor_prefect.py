"""Whether Prefect's server is there, and lets us in."""

import httpx

from deployments.findings import Finding
from deployments.prefect_own import SECONDS, lets_in, require_ours
from deployments.receiver.prefect_rest import prefect_place
from duebell.resources import Resources
from duebell.settings import Settings


def look(resources: Resources) -> list[Finding]:
    """What doctor tells of Prefect."""
    return [asked(resources.settings)]


def asked(settings: Settings) -> Finding:
    """What Prefect's server answers, the one that the settings name or the one that `duebell up` starts.

    Raises ``ConfigurationError`` where that is another installation's.
    """
    place = prefect_place(settings)
    try:
        answer = httpx.get(f"{place.api_url}/health", timeout=SECONDS, trust_env=False)
        shown = place.auth_string.get_secret_value()
        is_let_in = not settings.prefect_api_url or lets_in(place.api_url, shown)
    except httpx.HTTPError as error:
        said = f"{place.api_url} does not answer ({type(error).__name__})"
        if settings.prefect_api_url:
            return Finding("Prefect", f"{said}: start it, or check PREFECT_API_URL", sound=False)
        return Finding("Prefect", f"{said}: `duebell up` starts it")
    if answer.status_code != 200:
        said = f"{place.api_url} answers {answer.status_code}: something else listens there"
        lacks = "" if place.api_url.endswith("/api") else ", or PREFECT_API_URL is to end in /api"
        return Finding("Prefect", f"{said}{lacks}", sound=False)
    require_ours(settings)
    if not is_let_in:
        said = f"{place.api_url} does not let us in: check PREFECT_API_AUTH_STRING"
        return Finding("Prefect", said, sound=False)
    return Finding("Prefect", f"{place.api_url} answers")
