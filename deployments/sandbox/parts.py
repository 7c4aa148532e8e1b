"""The parts of a running sandbox, made together and forgotten together."""

import asyncio
from dataclasses import dataclass, field

import httpx

from deployments.sandbox.books import Books, Change
from deployments.sandbox.callbacks import Callbacks
from deployments.sandbox.company import company_books
from deployments.sandbox.conditions import Conditions, SandboxSettings
from deployments.sandbox.credentials import TENANT_ID
from deployments.sandbox.faults import Faults
from deployments.sandbox.limits import Limits
from deployments.sandbox.twilio_messages import MessageBook
from deployments.sandbox.webhooks import Webhooks
from deployments.sandbox.xero_auth import XeroAuth


@dataclass
class Parts:
    """Everything that the sandbox remembers. Lives in one event loop and is touched by no other thread."""

    conditions: Conditions
    auth: XeroAuth
    tenants: dict[str, Books]
    webhooks: Webhooks
    callbacks: Callbacks
    limits: Limits = field(default_factory=Limits)
    messages: MessageBook = field(default_factory=MessageBook)
    faults: Faults = field(default_factory=Faults)
    _poster: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to post webhooks; needs a running event loop."""
        self._poster = asyncio.get_running_loop().create_task(self.webhooks.run())

    def stop(self) -> None:
        """End everything that runs in the background."""
        self.callbacks.stop()
        if self._poster is not None:
            self._poster.cancel()

    def changed(self, *changes: Change | None) -> None:
        """Ring about what happened in the books."""
        self.webhooks.rang([change for change in changes if change is not None])

    async def settle(self, seconds: float) -> bool:
        """Wait until no webhook and no message is on its way; ``False`` where that took too long."""
        try:
            async with asyncio.timeout(seconds):
                while self.webhooks.under_way.count or self.callbacks.under_way.count:
                    await self.webhooks.under_way.nothing()
                    await self.callbacks.under_way.nothing()
        except TimeoutError:
            return False
        return True


def new_parts(settings: SandboxSettings, client: httpx.AsyncClient) -> Parts:
    """A fresh sandbox: the invented company's books, no token, no message, no fault."""
    conditions = Conditions(settings)
    return Parts(
        conditions=conditions,
        auth=XeroAuth(conditions),
        tenants={TENANT_ID: company_books(TENANT_ID, conditions.now())},
        webhooks=Webhooks(conditions, client),
        callbacks=Callbacks(conditions, client),
    )
