"""``GET /healthz`` and ``GET /readyz``: whether the process lives, and whether what it stands on is there."""

import time
from dataclasses import asdict, dataclass

import anyio
from anyio.to_thread import run_sync
from sqlalchemy import Engine, func
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import select
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from deployments.receiver.prefect_rest import PrefectRest
from duebell.ledger.engine import reading
from duebell.ledger.tables import Tenant
from duebell.ledger.tenants import IS_CONNECTED

FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """Truth values only: anybody may ask."""

    ledger: bool
    prefect: bool
    tenants: bool


async def alive(_request: Request) -> Response:
    """The process answers; nothing else is looked at."""
    return PlainTextResponse("ok")


def look_around(engine: Engine, prefect: PrefectRest) -> Readiness:
    """Ask the ledger and Prefect; takes a few seconds at most."""
    try:
        with reading(engine) as session:
            connected = session.exec(select(func.count()).select_from(Tenant).where(IS_CONNECTED)).one()
    except SQLAlchemyError:
        return Readiness(ledger=False, prefect=prefect.answers(), tenants=False)
    return Readiness(ledger=True, prefect=prefect.answers(), tenants=connected > 0)


class ReadyProbe:
    """The readiness endpoint. One look serves everybody for a second: asking is free for the caller."""

    def __init__(self, engine: Engine, prefect: PrefectRest) -> None:
        self._engine = engine
        self._prefect = prefect
        self._one_at_a_time = anyio.Lock()
        self._last: tuple[float, Readiness] | None = None

    async def answer(self, _request: Request) -> Response:
        """200 where everything is there, 503 otherwise, and what is."""
        async with self._one_at_a_time:
            if self._last is None or time.monotonic() - self._last[0] > FRESH_SECONDS:
                found = await run_sync(look_around, self._engine, self._prefect)
                self._last = (time.monotonic(), found)
            readiness = asdict(self._last[1])
        return JSONResponse(readiness, status_code=200 if all(readiness.values()) else 503)
