"""What both providers need of HTTP: credentials, forms, and the pause that a fault may ask for."""

import asyncio
import base64
import binascii
import hmac
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


@dataclass(frozen=True, slots=True)
class Delay:
    """A wait of so many seconds, which ends early where it is released."""

    seconds: float
    released: asyncio.Event

    async def over(self) -> None:
        """Wait it out."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.seconds):
                await self.released.wait()


FORM = "application/x-www-form-urlencoded"


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def basic_credentials(request: Request) -> tuple[str, str] | None:
    """User and password of HTTP Basic, or ``None``."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None


async def form_pairs(request: Request) -> list[tuple[str, str]]:
    """The form's fields in their order, blanks kept; a body of any other type has none."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return []
    return parse_qsl((await request.body()).decode(), keep_blank_values=True)


def query_pairs(request: Request) -> list[tuple[str, str]]:
    """The query's fields in their order, blanks kept."""
    return parse_qsl(request.url.query, keep_blank_values=True)


async def pause(request: Request) -> None:
    """Wait as long as a fault asked this request to wait, inside the provider and its counters."""
    delay: Delay | None = request.scope.get("sandbox.delay")
    if delay is not None:
        # Read first: once a client has given up waiting, uvicorn hands over no body, though it has it.
        await request.body()
        await delay.over()


def not_modelled(what: str) -> Response:
    """The sandbox's own refusal, told apart from any provider's by its status 501 and its one field."""
    return JSONResponse({"sandbox": f"not modelled: {what}"}, status_code=501)
