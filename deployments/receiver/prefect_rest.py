"""The little that the receiver asks of Prefect's REST interface: docs.prefect.io/v3/api-ref/rest-api.

Not Prefect's own client: importing it costs seconds and a hundred megabytes, and ``emit_event`` hands to a
thread that swallows every failure.
"""

import base64
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote, urlsplit

import httpx
from pydantic import SecretStr

from duebell.errors import Transient
from duebell.setting_shapes import is_loopback
from duebell.settings import Settings

log = logging.getLogger("duebell.receiver")
NOT_FOUND = 404
# Prefect on SQLite stalls for seconds under load; a nudge is not worth waiting for, a run is.
QUICK = 2.0
PATIENT = 10.0


class PrefectAway(Transient):
    """Prefect did not answer, answered 5xx, or did not let us in."""


class PrefectRefused(Transient):
    """Prefect answered 4xx: there is no such deployment, or it takes other parameters."""


@dataclass(frozen=True, slots=True)
class PrefectPlace:
    """Where Prefect's server is (``…/api``) and its ``user:password``, empty for none.

    ``transport`` replaces the network in tests.
    """

    api_url: str
    auth_string: SecretStr = field(default_factory=lambda: SecretStr(""))
    transport: httpx.BaseTransport | None = field(default=None, repr=False)


def prefect_place(settings: Settings) -> PrefectPlace:
    """Prefect's server by the variables that its own clients read, and what it asks for."""
    own = f"http://127.0.0.1:{settings.prefect_server_api_port}/api"
    return PrefectPlace(settings.prefect_api_url or own, settings.prefect_api_auth_string)


class OnChange:
    """Logs when something stops working and when it works again, and nothing in between."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._well = True
        self._lock = threading.Lock()

    def failed(self, why: str) -> None:
        """It did not work; ``why`` is a status or the name of an exception's class."""
        if self._changed(well=False):
            log.warning("%s: %s; trying on", self._what, why)

    def worked(self) -> None:
        """It worked."""
        if self._changed(well=True):
            log.warning("%s: well again", self._what)

    def _changed(self, *, well: bool) -> bool:
        with self._lock:
            changed, self._well = self._well != well, well
        return changed


class PrefectRest:
    """Prefect's server, spoken to by several threads."""

    def __init__(self, place: PrefectPlace) -> None:
        headers: dict[str, str] = {}
        if secret := place.auth_string.get_secret_value():
            headers["Authorization"] = "Basic " + base64.b64encode(secret.encode()).decode()
        self._http = httpx.Client(
            base_url=place.api_url,
            headers=headers,
            timeout=PATIENT,
            transport=place.transport,
            # A proxy of the environment is for the way out, not for this machine.
            trust_env=not is_loopback(urlsplit(place.api_url).hostname or ""),
        )
        self._reachable = OnChange("Prefect does not answer")
        self._ids: dict[str, str] = {}

    def answers(self) -> bool:
        """Whether the server is there."""
        try:
            return self._call("GET", "/health", QUICK).is_success
        except PrefectAway:
            return False

    def send_events(self, events: Sequence[Mapping[str, object]]) -> None:
        """Hand events over. Raises ``PrefectAway`` or ``PrefectRefused``; success is not safekeeping."""
        _require_success(self._call("POST", "/events", QUICK, list(events)), "/events")

    def create_run(
        self, deployment: str, parameters: Mapping[str, object], idempotency_key: str, tags: Sequence[str]
    ) -> None:
        """Have a run of ``flow/deployment`` made, or found made under the same key.

        Raises ``PrefectAway`` or ``PrefectRefused``.
        """
        body = {"parameters": dict(parameters), "idempotency_key": idempotency_key, "tags": list(tags)}
        path = f"/deployments/{self._id_of(deployment)}/create_flow_run"
        answer = self._call("POST", path, PATIENT, body)
        if answer.status_code == NOT_FOUND:
            self._ids.pop(deployment, None)  # deleted and deployed anew, with another id
        _require_success(answer, deployment)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _id_of(self, deployment: str) -> str:
        if deployment not in self._ids:
            answer = self._call("GET", f"/deployments/name/{quote(deployment)}", PATIENT)
            _require_success(answer, deployment)
            self._ids[deployment] = _id_in(answer, deployment)
        return self._ids[deployment]

    def _call(self, method: str, path: str, timeout: float, body: object = None) -> httpx.Response:
        """One call; what shows that nobody there would take another is ``PrefectAway``."""
        content: Any = body
        try:
            answer = self._http.request(method, path, json=content, timeout=timeout)
            problem = _problem(answer.status_code)
        except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: closed at shutdown
            answer, problem = None, type(error).__name__
        if answer is None or problem:
            self._reachable.failed(problem)
            raise PrefectAway(f"Prefect did not take a call: {problem}")
        self._reachable.worked()
        return answer


def _problem(status: int) -> str:
    if status in {401, 403}:
        return f"status {status}, check PREFECT_API_AUTH_STRING"
    return f"status {status}" if status >= 500 else ""


def _require_success(answer: httpx.Response, what: str) -> None:
    if not answer.is_success:
        raise PrefectRefused(f"Prefect answered {answer.status_code} for {what}: run `prefect deploy --all`")


def _id_in(answer: httpx.Response, deployment: str) -> str:
    try:
        body: object = answer.json()
    except ValueError:
        body = None
    found = cast("dict[str, object]", body).get("id") if isinstance(body, dict) else None
    if not isinstance(found, str):
        raise PrefectRefused(f"Prefect named no id for {deployment}: check PREFECT_API_URL")
    return found
