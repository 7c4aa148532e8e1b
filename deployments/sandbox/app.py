"""The sandbox as one ASGI application: Xero, Twilio, SendGrid and the control surface on one port."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control_api import ControlApi
from deployments.sandbox.email_api import TwilioEmailApi
from deployments.sandbox.email_sendgrid import SendGridApi
from deployments.sandbox.faults import CONTROL, FaultyDoor
from deployments.sandbox.inbound import not_modelled
from deployments.sandbox.parts import new_parts
from deployments.sandbox.twilio_api import TwilioApi
from deployments.sandbox.twilio_consents import ConsentApi
from deployments.sandbox.xero_api import XeroApi
from deployments.sandbox.xero_connections import XeroConnections
from deployments.sandbox.xero_login import XeroLogin


class Sandbox:
    """Holds the present parts and builds them anew on a reset; the application's callable."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._client = httpx.AsyncClient(timeout=10, follow_redirects=False, trust_env=False)
        self._parts = new_parts(settings, self._client)
        self._door = self._build()
        control = ControlApi(parts=lambda: self._parts, reset=self.reset)
        self._app = Starlette(routes=control.routes(), lifespan=self._lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Control requests and the server's life go to the outer application, all else to the providers."""
        outer = scope["type"] != "http" or scope["path"].startswith(CONTROL)
        await (self._app if outer else self._door)(scope, receive, send)

    def reset(self) -> None:
        """Forget everything that happened; the settings are again those of the start."""
        self._parts.stop()
        self._parts = new_parts(self._settings, self._client)
        self._parts.start()
        self._door = self._build()

    def _build(self) -> FaultyDoor:
        parts = self._parts
        xero = XeroApi(parts.conditions, parts.auth, parts.limits, parts.tenants, parts.changed)
        twilio = TwilioApi(parts.conditions, parts.messages, parts.callbacks)
        connections = XeroConnections(parts.conditions, parts.auth, parts.tenants)
        login = XeroLogin(parts.conditions, parts.auth, parts.tenants)
        email = TwilioEmailApi(parts.conditions, parts.mails, parts.mail_lives)
        sendgrid = SendGridApi(parts.conditions, parts.mails, parts.mail_lives)
        consents = ConsentApi(parts.conditions, parts.messages)
        apis = (xero, connections, login, twilio, consents, email, sendgrid)
        providers = Starlette(
            routes=[route for api in apis for route in api.routes()],
            exception_handlers={HTTPException: _unknown},
        )
        _no_redirects(providers.router)
        return FaultyDoor(providers, parts.faults)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncGenerator[None]:
        self._parts.start()
        try:
            yield
        finally:
            self._parts.stop()
            await self._client.aclose()


def _no_redirects(router: Router) -> None:
    # Neither provider answers a trailing slash with a redirect.
    router.redirect_slashes = False


async def _unknown(request: Request, _: Exception) -> Response:
    return not_modelled(f"{request.method} {request.url.path}")
