"""The control surface: ``POST /_sandbox/<verb>`` with the verb's arguments as JSON, answered as JSON."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError, validate_call
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.sandbox.books import BookkeepingError
from deployments.sandbox.control_books import BookVerbs
from deployments.sandbox.control_cash import CashVerbs
from deployments.sandbox.control_contacts import ContactVerbs
from deployments.sandbox.control_providers import ProviderVerbs
from deployments.sandbox.email_control import MailVerbs
from deployments.sandbox.faults import CONTROL
from deployments.sandbox.parts import Parts
from deployments.sandbox.wire import read_json, record_of

Verb = Callable[..., object]


@dataclass
class ControlApi:
    """Finds a verb, checks its arguments against its own signature, and answers what it returns.

    An unknown verb is 404, wrong arguments are 400, and what the books do not allow is 409.
    """

    parts: Callable[[], Parts]
    reset: Callable[[], None]

    def routes(self) -> list[Route]:
        """The one route."""
        return [Route(CONTROL + "{verb}", self._answer, methods=["POST"])]

    def _verbs(self) -> dict[str, Verb]:
        parts = self.parts()
        found: dict[str, Verb] = {"reset": self.reset}
        for group in (BookVerbs, CashVerbs, ContactVerbs, ProviderVerbs, MailVerbs):
            found |= group(parts).verbs()
        return found

    async def _answer(self, request: Request) -> Response:
        verb = self._verbs().get(str(request.path_params["verb"]))
        if verb is None:
            return JSONResponse({"error": "no such verb"}, status_code=404)
        try:
            arguments = record_of(read_json(await request.body() or b"{}"))
            answer: Any = validate_call(verb)(**arguments)
            if inspect.isawaitable(answer):
                answer = await answer
        except (ValidationError, ValueError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except BookkeepingError as error:
            return JSONResponse({"error": str(error)}, status_code=409)
        return Response(to_json(answer), media_type="application/json")
