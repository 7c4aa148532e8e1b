"""Books with many invoices, for measuring: entered without a word, the same for the same seed."""

import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from deployments.sandbox.books import Books
from deployments.sandbox.documents import HOME_CURRENCY, Draft, Line, new_invoice
from deployments.sandbox.wire import text_of


def fill(books: Books, count: int, seed: int, now: datetime) -> None:
    """Enter ``count`` approved invoices over the last weeks, for the customers that are active."""
    chance = Random(seed)
    contacts = [row for row in books.contacts.values() if text_of(row, "ContactStatus") == "ACTIVE"]
    for place in range(count):
        entered = now - timedelta(minutes=count - place)
        issued_on = entered.date() - timedelta(days=chance.randrange(40))
        contact = chance.choice(contacts)
        draft = Draft(
            number=books.next_number(),
            contact=contact,
            issued_on=issued_on,
            due_on=issued_on + timedelta(days=20),
            lines=(Line("Bakery supplies", Decimal(1), Decimal(chance.randrange(1000, 90_000)) / 100),),
            currency=text_of(contact, "DefaultCurrency") or HOME_CURRENCY,
            status="AUTHORISED",
            invoice_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        )
        books.keep_invoice(new_invoice(draft, entered))
