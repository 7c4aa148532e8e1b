"""Xero's Idempotency-Key on writes: the first answer is given again, an error's too, for six minutes."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

KEPT = timedelta(minutes=6)
MAX_KEY = 128


class MisusedKeyError(Exception):
    """The key is too long, or stood with another request before: 400."""


@dataclass(frozen=True, slots=True)
class _Kept:
    fingerprint: tuple[str, str, bytes]
    at: datetime
    response: Response


@dataclass
class Replies:
    """The answers that are kept, by tenant and key."""

    kept: dict[tuple[str, str], _Kept] = field(default_factory=dict[tuple[str, str], _Kept])

    def known(self, tenant_id: str, request: Request, body: bytes, now: datetime) -> Response | None:
        """The answer that this request got before, if it names a key. Raises ``MisusedKeyError``."""
        key = request.headers.get("idempotency-key", "")
        found = self.kept.get((tenant_id, key))
        if len(key) > MAX_KEY:
            raise MisusedKeyError
        if not key or found is None or now - found.at > KEPT:
            return None
        if found.fingerprint != _fingerprint(request, body):
            raise MisusedKeyError
        return Response(found.response.body, found.response.status_code, dict(found.response.headers))

    def keep(self, tenant_id: str, request: Request, body: bytes, now: datetime, response: Response) -> None:
        """Keep an answer, where its request named a key."""
        key = request.headers.get("idempotency-key", "")
        if key:
            self.kept[tenant_id, key] = _Kept(_fingerprint(request, body), now, response)


def _fingerprint(request: Request, body: bytes) -> tuple[str, str, bytes]:
    return request.method, request.url.path, body
