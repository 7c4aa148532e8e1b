"""The receiver as an ASGI application: the webhooks, Xero's callback, two probes, and nothing else."""

import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import Lifespan

from deployments.receiver.answers import Reticent, without_words
from deployments.receiver.ledger_thread import LedgerThread
from deployments.receiver.net import Net
from deployments.receiver.nudge import Nudges
from deployments.receiver.parts import ReceiverParts
from deployments.receiver.prefect_rest import PrefectRest
from deployments.receiver.probes import ReadyProbe, alive
from deployments.receiver.sendgrid_events import SendGridEvents
from deployments.receiver.twilio_inbound import TwilioInbound
from deployments.receiver.twilio_status import TwilioStatus
from deployments.receiver.xero_callback import XeroCallback
from deployments.receiver.xero_webhook import XeroWebhook
from duebell.connecting.consent_answer import CALLBACK_PATH
from duebell.email.sendgrid_events import EVENTS_PATH
from duebell.twilio.callbacks import STATUS_PATH
from duebell.twilio.inbound import INBOUND_PATH

XERO_PATH = "/webhooks/xero"
PARTING_SECONDS = 2.0


def make_app(receiver: ReceiverParts) -> Starlette:
    """The application. Nudges and the net run between startup and shutdown, which closes the engine."""
    prefect = PrefectRest(receiver.prefect)
    ledger = LedgerThread(receiver.engine, receiver.clock, receiver.patience.answer_seconds)
    nudges = Nudges(prefect, receiver.clock)
    net = Net(receiver.engine, prefect, receiver.clock, receiver.patience, receiver.tells)

    @asynccontextmanager
    async def while_running(_app: Starlette) -> AsyncGenerator[None]:
        stop = threading.Event()
        helpers = [net.start(stop), nudges.start()]
        yield
        stop.set()
        nudges.stop()
        for helper in helpers:
            await run_sync(helper.join, PARTING_SECONDS)
        ledger.close()
        prefect.close()
        receiver.engine.dispose()

    routes = [
        Route(XERO_PATH, XeroWebhook(receiver, ledger, nudges).answer, methods=["POST"]),
        Route(STATUS_PATH, TwilioStatus(receiver, ledger).answer, methods=["POST"]),
        Route(INBOUND_PATH, TwilioInbound(receiver, ledger).answer, methods=["POST"]),
        Route(EVENTS_PATH, SendGridEvents(receiver, ledger).answer, methods=["POST"]),
        Route(CALLBACK_PATH, XeroCallback(receiver, ledger).answer, methods=["GET"]),
        Route("/healthz", alive),
        Route("/readyz", ReadyProbe(receiver.engine, prefect).answer),
    ]
    return _strict(routes, while_running)


def make_callback_app(receiver: ReceiverParts) -> Starlette:
    """Xero's callback alone, for as long as `duebell connect` waits and no receiver runs."""
    ledger = LedgerThread(receiver.engine, receiver.clock, receiver.patience.answer_seconds)

    @asynccontextmanager
    async def while_running(_app: Starlette) -> AsyncGenerator[None]:
        yield
        ledger.close()

    callback = Route(CALLBACK_PATH, XeroCallback(receiver, ledger).answer, methods=["GET"])
    return _strict([callback], while_running)


def _strict(routes: list[Route], lifespan: Lifespan[Starlette]) -> Starlette:
    """An application that answers these routes as they are spelled, and nothing else with a word."""
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Reticent)],
        exception_handlers={HTTPException: without_words},
        lifespan=lifespan,
    )
    # A redirect would answer a signed delivery with something other than 200.
    app.router.redirect_slashes = False
    return app
