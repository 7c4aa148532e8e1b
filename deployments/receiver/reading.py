"""The raw body of a request, with an end to how long and how large it may be."""

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request

LARGEST_DELIVERY = 256 * 1024
LARGEST_CALLBACK = 64 * 1024


async def read_raw(request: Request, *, most: int, seconds: float) -> bytes:
    """The bytes as they came, at most ``most`` of them, all within ``seconds``.

    Raises ``HTTPException``: 415 for an encoded body (unpacking would be work for an unknown caller, and
    neither Xero nor Twilio packs), 413 for one that is too large, by its Content-Length or by what was
    read, 408 for a slow one, 400 where the caller went away.
    """
    if "content-encoding" in request.headers:
        raise HTTPException(415)
    if _announced(request) > most:
        raise HTTPException(413)
    with anyio.move_on_after(seconds):
        return await _receive(request, most)
    raise HTTPException(408)


def _announced(request: Request) -> int:
    """What Content-Length says, 0 where it says nothing usable: the count of what was read decides then."""
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() and len(text) <= 20 else 0


async def _receive(request: Request, most: int) -> bytes:
    raw = bytearray()
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise HTTPException(400)
        raw += message.get("body", b"")
        if len(raw) > most:
            raise HTTPException(413)
        if not message.get("more_body", False):
            return bytes(raw)


def only_value(request: Request, name: str) -> str | None:
    """The value of a header that was given exactly once: of two, nobody can say which one was meant."""
    values = request.headers.getlist(name)
    return values[0] if len(values) == 1 else None
