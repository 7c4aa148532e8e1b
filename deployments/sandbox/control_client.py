"""How the control surface is called: one POST a verb, arguments and answer as JSON."""

from typing import TypeVar

import httpx
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

T = TypeVar("T")


class ControlRefusedError(Exception):
    """The sandbox does not do that: an unknown id, a state that does not allow it, or wrong arguments."""


class ControlClient:
    """A connection to one sandbox. Every method raises ``ControlRefusedError`` where the sandbox refuses."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        # uvicorn closes a connection that rests for five seconds, and a request that meets that is lost.
        resting = httpx.Limits(keepalive_expiry=2)
        self._http = httpx.Client(base_url=self.base_url, timeout=60, limits=resting, trust_env=False)

    def close(self) -> None:
        """Close the connection to the sandbox."""
        self._http.close()

    def _do(self, verb: str, /, **arguments: object) -> bytes:
        given = {name: value for name, value in arguments.items() if value is not None}
        answer = self._http.post(f"/_sandbox/{verb}", json=to_jsonable_python(given))
        if answer.status_code != 200:
            raise ControlRefusedError(f"{verb}: {answer.status_code} {answer.text}")
        return answer.content

    def _ask(self, verb: str, kind: type[T], /, **arguments: object) -> T:
        return TypeAdapter(kind).validate_json(self._do(verb, **arguments))
