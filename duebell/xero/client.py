"""Reading a Xero organisation: invoices, contacts, the organisation itself, and what a consent opened."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import httpx
from pydantic import SecretStr

from duebell.errors import BadAnswer
from duebell.model import Connection, Contact, Credit, CreditKind, Invoice, Organisation, Payment
from duebell.xero import queries
from duebell.xero.answers import CallMade, http_date
from duebell.xero.asking import ACCOUNTING, Asker, Pace
from duebell.xero.contact_groups import ContactGroups
from duebell.xero.fields import Fields
from duebell.xero.parse import parse_connections, parse_organisation
from duebell.xero.parse_credits import CREDIT_LISTS, OPEN
from duebell.xero.reader import read_json
from duebell.xero.records import (
    Records,
    contacts_of,
    credits_of,
    invoices_of,
    joined,
    listed,
    payments_of,
)
from duebell.xero.transfer import Answer, Bounds

ONLINE_LINK = re.compile(r"https://[\x21-\x7e]{1,500}")
CONNECTIONS = "/connections"


class XeroClient:
    """Xero's accounting interface for one tenant.

    ``http`` should come from ``make_http_client``: it must not trust the environment and needs timeouts of
    its own. ``access_token`` is called for each request, so a token refreshed meanwhile is used;
    ``on_call`` is told of every request of the tenant, refused and failed ones too, while its place in the
    pace is still held.
    Nothing is retried and no token is refreshed here: that is the caller's.

    Every method raises the errors of ``duebell.errors`` that ``problem_of`` lists, ``Transient`` where the
    transport fails or the time is up, ``BadAnswer`` for what is not Xero's JSON. Records that cannot be read
    are returned as bad ones.
    """

    def __init__(
        self,
        http: httpx.Client,
        api_url: str,
        access_token: Callable[[], SecretStr],
        tenant_id: str,
        pace: Pace,
        on_call: Callable[[CallMade], None],
        *,
        bounds: Bounds | None = None,
    ) -> None:
        asker = Asker(http, api_url, access_token, tenant_id, pace, on_call, bounds or Bounds())
        self._ask = asker.ask
        self.groups = ContactGroups(asker)

    def invoice(self, invoice_id: str) -> Records[Invoice]:
        """One invoice with its whole contact. Raises ``RecordNotFound`` where Xero knows none."""
        asked = queries.record_ids([invoice_id])
        answer = self._ask(f"{ACCOUNTING}/Invoices/{asked[0]}", one_record=True)
        return invoices_of(read_json(answer.body)).asked_for(asked)

    def invoices(self, ids: Iterable[str]) -> Records[Invoice]:
        """These invoices, 50 a call, with contact stubs. Raises ``Permanent`` for an id that is no UUID."""
        return joined(self._chunk_of_invoices(chunk) for chunk in queries.chunks(queries.record_ids(ids)))

    def contacts(self, ids: Iterable[str]) -> Records[Contact]:
        """These contacts, archived ones too, 50 a call. Raises ``Permanent`` for an id that is no UUID."""
        return joined(self._chunk_of_contacts(chunk) for chunk in queries.chunks(queries.record_ids(ids)))

    def invoice_page(
        self,
        page: int,
        page_size: int = queries.PAGE_SIZE,
        *,
        modified_since: datetime | None = None,
        statuses: Sequence[str] = (),
        sales_only: bool = False,
    ) -> Records[Invoice]:
        """One page (from 1) of all invoices and bills in the order of their ids, which no change moves.

        ``statuses`` are Xero's words (``AUTHORISED``); none means all; ``sales_only`` leaves bills out. With
        ``modified_since`` (aware, to the second) the order is that of the last change: those rows move while
        pages are turned, so ask for page 1 again from the last change that was read.
        """
        more = queries.of_statuses(statuses)
        more += f"{queries.SALES_ONLY}&" if sales_only else ""
        order = "UpdatedDateUTC" if modified_since else "InvoiceID"
        query = queries.page_query(order, page, page_size, more)
        answer = self._ask(f"{ACCOUNTING}/Invoices", query, modified_since=modified_since)
        return _unchanged(answer) or invoices_of(read_json(answer.body))

    def contact_page(
        self, page: int, page_size: int = queries.PAGE_SIZE, *, modified_since: datetime | None = None
    ) -> Records[Contact]:
        """One page (from 1) of all contacts, archived ones too; ``modified_since`` as in ``invoice_page``."""
        order = "UpdatedDateUTC" if modified_since else "ContactID"
        query = queries.page_query(order, page, page_size, "includeArchived=true&")
        answer = self._ask(f"{ACCOUNTING}/Contacts", query, modified_since=modified_since)
        return _unchanged(answer) or contacts_of(read_json(answer.body))

    def payment_page(
        self, page: int, page_size: int = queries.PAGE_SIZE, *, modified_since: datetime
    ) -> Records[Payment]:
        """One page (from 1) of the payments of every kind, removed ones too, as in ``invoice_page``."""
        query = queries.page_query("UpdatedDateUTC", page, page_size)
        answer = self._ask(f"{ACCOUNTING}/Payments", query, modified_since=modified_since)
        return _unchanged(answer) or payments_of(read_json(answer.body))

    def credit_page(
        self,
        kind: CreditKind,
        page: int,
        page_size: int = queries.PAGE_SIZE,
        *,
        modified_since: datetime | None = None,
    ) -> Records[Credit]:
        """One page (from 1) of the open credits of a kind, in the order of their ids.

        Suppliers' are left out where Xero has one word for the customers'. With ``modified_since`` it is a
        page of all that changed, used up and withdrawn ones too, as in ``invoice_page``.
        """
        names = CREDIT_LISTS[kind]
        order = "UpdatedDateUTC" if modified_since else names.id_name
        more = "" if modified_since else queries.of_type(OPEN, names.only_type)
        query = queries.page_query(order, page, page_size, more)
        answer = self._ask(f"{ACCOUNTING}/{names.plural}", query, modified_since=modified_since)
        return _unchanged(answer) or credits_of(read_json(answer.body), kind)

    def organisation(self) -> Organisation:
        """The organisation behind the tenant, with Xero's own time of the answer."""
        envelope = Fields.of("the answer", read_json(self._ask(f"{ACCOUNTING}/Organisation").body))
        organisations = listed(envelope, "Organisations")
        if not organisations:
            raise BadAnswer("the answer holds no organisation")
        return parse_organisation(organisations[0], envelope.moment("DateTimeUTC"))

    def sends_reminders(self) -> bool | None:
        """Whether Xero itself reminds of unpaid invoices; ``None`` where its answer does not say."""
        envelope = Fields.of(
            "the answer", read_json(self._ask(f"{ACCOUNTING}/InvoiceReminders/Settings").body)
        )
        told = [
            Fields.of("the reminders", one).raw.get("Enabled") for one in listed(envelope, "InvoiceReminders")
        ]
        return told[0] if told and isinstance(told[0], bool) else None

    def branding_themes(self) -> dict[str, str]:
        """The names of the organisation's branding themes by their ids."""
        envelope = Fields.of("the answer", read_json(self._ask(f"{ACCOUNTING}/BrandingThemes").body))
        themes = [Fields.of("a branding theme", one) for one in listed(envelope, "BrandingThemes")]
        return {one.uuid("BrandingThemeID") or "": one.text("Name") for one in themes}

    def online_link(self, invoice_id: str) -> str:
        """Where an approved sales invoice can be seen by whoever knows the address.

        Raises ``RecordNotFound`` for an invoice that has none.
        """
        asked = queries.record_ids([invoice_id])
        path = f"{ACCOUNTING}/Invoices/{asked[0]}/OnlineInvoice"
        envelope = Fields.of("the answer", read_json(self._ask(path, one_record=True).body))
        found = [Fields.of("an online invoice", one) for one in listed(envelope, "OnlineInvoices")]
        link = found[0].text("OnlineInvoiceUrl") if found else ""
        if not ONLINE_LINK.fullmatch(link):
            raise BadAnswer("the online invoice has no address that a customer can open")
        return link

    def connections(self) -> tuple[Connection, ...]:
        """What the consent behind the token opened; empty where the user disconnected us in Xero."""
        return parse_connections(read_json(self._ask(CONNECTIONS, of_tenant=False).body))

    def _chunk_of_invoices(self, chunk: tuple[str, ...]) -> Records[Invoice]:
        answer = self._ask(f"{ACCOUNTING}/Invoices", queries.invoices_query(chunk))
        return invoices_of(read_json(answer.body)).asked_for(chunk)

    def _chunk_of_contacts(self, chunk: tuple[str, ...]) -> Records[Contact]:
        answer = self._ask(f"{ACCOUNTING}/Contacts", queries.contacts_query(chunk))
        return contacts_of(read_json(answer.body)).asked_for(chunk)


def _unchanged(answer: Answer) -> Records[Any] | None:
    """An empty reading where Xero says that nothing changed; its time is then the header's."""
    if answer.status != 304:
        return None
    return Records(read_at=http_date(answer.headers.get("date", "")))
