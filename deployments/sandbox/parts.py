"""The parts of a running sandbox, made together and forgotten together."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import httpx

from deployments.sandbox.books import CONTACT, INVOICE, Books, Change
from deployments.sandbox.callbacks import Callbacks
from deployments.sandbox.company import company_books
from deployments.sandbox.conditions import Conditions, SandboxSettings
from deployments.sandbox.credentials import TENANT_ID
from deployments.sandbox.email_book import MailBook
from deployments.sandbox.email_lives import MailLives
from deployments.sandbox.faults import Faults
from deployments.sandbox.limits import Limits
from deployments.sandbox.twilio_messages import MessageBook
from deployments.sandbox.webhook_post import Poster
from deployments.sandbox.webhooks import Webhooks
from deployments.sandbox.wire import record_of, text_of
from deployments.sandbox.xero_auth import XeroAuth


@dataclass
class Parts:
    """Everything that the sandbox remembers. Lives in one event loop and is touched by no other thread."""

    conditions: Conditions
    auth: XeroAuth
    tenants: dict[str, Books]
    webhooks: Webhooks
    callbacks: Callbacks
    mails: MailBook
    mail_lives: MailLives
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
        self.webhooks.stop()
        self.mail_lives.stop()
        if self._poster is not None:
            self._poster.cancel()

    def changed(self, changes: Sequence[Change]) -> None:
        """Ring about what happened in the books."""
        along = self.conditions.settings.invoices_ring_contacts
        self.webhooks.rang([*changes, *(self._of_contacts(changes) if along else ())])

    def _of_contacts(self, changes: Iterable[Change]) -> Iterator[Change]:
        for change in changes:
            if change.category == INVOICE:
                record = self.tenants[change.tenant_id].invoice(change.resource_id)
                contact_id = text_of(record_of(record.get("Contact")), "ContactID")
                yield Change(change.tenant_id, CONTACT, "UPDATE", contact_id, change.at)

    async def settle(self, seconds: float) -> bool:
        """Wait until no webhook, message or email is on its way; ``False`` where that took too long."""
        busy = (self.webhooks.under_way, self.callbacks.under_way, self.mail_lives.under_way)
        try:
            async with asyncio.timeout(seconds):
                while any(one.count for one in busy):
                    for one in busy:
                        await one.nothing()
        except TimeoutError:
            return False
        return True


def new_parts(settings: SandboxSettings, client: httpx.AsyncClient) -> Parts:
    """A fresh sandbox: the invented company's books, no token, no message, no fault."""
    conditions, mails = Conditions(settings), MailBook()
    return Parts(
        conditions=conditions,
        auth=XeroAuth(conditions),
        tenants={TENANT_ID: company_books(TENANT_ID, conditions.now())},
        webhooks=Webhooks(conditions, Poster(conditions, client)),
        callbacks=Callbacks(conditions, client),
        mails=mails,
        mail_lives=MailLives(conditions, client, mails),
    )
