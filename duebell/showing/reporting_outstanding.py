"""What nobody knows for sure, told without naming anybody: for the artifact of `settle` in the UI."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from duebell.books.calls import lasting, utc
from duebell.ledger.engine import reading
from duebell.ledger.outstanding import Outstanding, outstanding, strange_receipts
from duebell.ledger.tables import Tenant
from duebell.sending.stopping import stopped
from duebell.showing.reporting import in_words
from duebell.states import NotificationState
from duebell.visible import in_markdown
from duebell.xero.links import invoice_link


@dataclass(frozen=True, slots=True)
class OutstandingTold:
    """It in a sentence, and a row for each message."""

    sentence: str
    table: list[dict[str, str]]


def told_of(engine: Engine, now: datetime) -> OutstandingTold:
    """Everything that is looked for or left to a person, with its age, and whether sending is stopped."""
    with reading(engine) as session:
        found = outstanding(session, now=now)
        strange = len(strange_receipts(session, now=now))
        codes = {one.tenant_id: _code(session.get(Tenant, one.tenant_id)) for one in found}
    parked = sum(one.state == NotificationState.PARKED for one in found)
    parts = [f"{parked} left to a person, {len(found) - parked} looked for"]
    if found:
        parts.append(f"the oldest for {lasting(found[0].age)}")
    if strange:
        parts.append(f"{strange} messages with receipts that nobody here sent")
    parts += [one.naming_nobody() for one in stopped(engine)]
    return OutstandingTold("; ".join(parts), [_row(one, codes[one.tenant_id]) for one in found])


def _code(tenant: Tenant | None) -> str:
    return tenant.short_code if tenant else ""


def _row(one: Outstanding, short_code: str) -> dict[str, str]:
    return {
        "invoice": in_markdown(one.invoice),
        "kind": one.kind,
        "state": one.state,
        "since": utc(one.since),
        "age": lasting(one.age),
        "why": in_words(one.reason),
        "link": invoice_link(short_code, one.invoice_id),
    }
