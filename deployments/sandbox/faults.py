"""What a test asked to go wrong, and the log of everything that reached a provider.

It stands around the whole application as plain ASGI, because some faults have to happen before a request is
read and others after an answer was made.
"""

import asyncio
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from deployments.sandbox.control_types import Fault, SeenRequest
from deployments.sandbox.inbound import Delay

CONTROL = "/_sandbox/"
_HTML = "<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"


class DroppableProtocol(H11Protocol):
    """uvicorn's HTTP protocol, which hands the connection's transport to the application's scope."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Keep the transport where a fault finds it."""
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


@dataclass
class Plan:
    """A fault, how many matches pass first, and how many it still has for itself."""

    fault: Fault
    skip: int
    left: int


@dataclass
class Faults:
    """The faults that wait for their requests, and the requests seen so far."""

    plans: list[Plan] = field(default_factory=list[Plan])
    seen: list[SeenRequest] = field(default_factory=list[SeenRequest])
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def plan(self, fault: Fault) -> None:
        """Let the next matching requests meet this fault."""
        self.plans.append(Plan(fault, fault.skip, fault.times))

    def clear(self) -> None:
        """Forget the faults that wait, and let the requests that were delayed go on."""
        self.plans.clear()
        self.released.set()
        self.released = asyncio.Event()

    def next_for(self, method: str, path: str) -> Fault | None:
        """The fault for this request, used up by asking; ``None`` where all is well."""
        for plan in self.plans:
            fault = plan.fault
            if not (fnmatchcase(method, fault.method.upper()) and fnmatchcase(path, fault.path)):
                continue
            if plan.skip:
                plan.skip -= 1
                continue
            plan.left -= 1
            self.plans = [other for other in self.plans if other.left]
            return fault
        return None


@dataclass
class Answered:
    """An answer that was made but not sent."""

    status: int | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    body: bytes = b""

    async def send(self, message: Message) -> None:
        """Take what the application sends."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    def half(self) -> Response:
        """The same answer with half of its body and a length that fits it."""
        response = Response(self.body[: len(self.body) // 2], self.status or 200)
        kept = [(name, value) for name, value in self.headers if name.lower() != b"content-length"]
        response.raw_headers = [*kept, (b"content-length", str(len(response.body)).encode())]
        return response


@dataclass
class FaultyDoor:
    """Lets requests through to the application, or lets them meet their fault; control requests pass."""

    app: ASGIApp
    faults: Faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self.app(scope, receive, send)
            return
        position = self._note(scope)
        fault = self.faults.next_for(scope["method"], scope["path"])

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answer(position, message["status"])
            await send(message)

        if fault is None:
            await self.app(scope, receive, noted)
        else:
            await self._meet(fault, scope, receive, noted)

    async def _meet(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        delay = Delay(fault.seconds, self.faults.released)
        if fault.kind == "drop_before":
            await delay.over()
            await _drop(scope, receive)
            return
        scope["sandbox.delay"] = delay
        if fault.kind == "delay":
            await self.app(scope, receive, send)
            return
        made = Answered()
        if fault.process or fault.kind in {"drop_after", "truncate"}:
            await self.app(scope, receive, made.send)
        else:
            await delay.over()
        if fault.kind == "drop_after":
            await _drop(scope, receive)
        else:
            response = made.half() if fault.kind == "truncate" else _instead(fault)
            await response(scope, receive, send)

    def _note(self, scope: Scope) -> tuple[list[SeenRequest], int]:
        headers = Headers(scope=scope)
        query = scope["query_string"].decode("latin-1")
        seen = SeenRequest(scope["method"], scope["path"], query, None, headers.get("xero-tenant-id", ""))
        self.faults.seen.append(seen)
        return self.faults.seen, len(self.faults.seen) - 1

    def _answer(self, position: tuple[list[SeenRequest], int], status: int) -> None:
        seen, index = position
        old = seen[index]
        seen[index] = SeenRequest(old.method, old.path, old.query, status, old.tenant_id)


def _instead(fault: Fault) -> Response:
    if fault.kind == "html":
        return Response(fault.body or _HTML, fault.status, media_type="text/html")
    return Response(fault.body, fault.status, headers=fault.headers, media_type=fault.content_type)


async def _drop(scope: Scope, receive: Receive) -> None:
    state: dict[str, Any] = scope["state"]
    transport: asyncio.Transport = state["transport"]
    transport.abort()
    # uvicorn answers 500 for an application that returns without an answer, unless it knows of the loss.
    while (await receive())["type"] != "http.disconnect":
        pass
