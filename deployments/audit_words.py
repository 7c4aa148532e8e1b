"""What ``duebell audit`` says where no entry is about what it was asked for."""

from sqlalchemy import Engine

from duebell.errors import Permanent
from duebell.ledger.engine import reading
from duebell.ledger.named import invoices_named


def nothing_about(engine: Engine, subject: str) -> str:
    """That nothing was ever done about an invoice. Raises ``Permanent`` where none is known so."""
    with reading(engine) as session:
        known = invoices_named(session, subject)
    if not known:
        raise Permanent(
            f"no invoice is known as {subject}, and no entry is about it: check the number, or give its id"
        )
    return f"Nothing was ever done about {subject}: `duebell explain {subject}` says why."
