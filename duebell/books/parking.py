"""What waits while Xero takes no calls from us, and how a tenant that nobody drains is told of."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine

from duebell.books.calls import utc
from duebell.clock import Clock
from duebell.errors import Postponed
from duebell.ledger import tenants
from duebell.ledger.notifications import Claim
from duebell.ledger.writing import writing
from duebell.resources import Resources
from duebell.sending.giving_back import Said, let_go
from duebell.states import NotificationState, TenantState

LATER = timedelta(minutes=1)
"""When it is tried again where nobody can say until when it is postponed."""

REASON = "xero_takes_no_calls"

NOT_CONNECTED = "Not connected"

UNREAD = (
    "was never read whole, and until then its events wait: unless `duebell connect` is just reading it, "
    "run that again, or start `duebell up` anew"
)
"""What a person reads of an organisation whose first read goes on, or was cut off: only a person ends it."""


def closed_in_words(tenant_id: str) -> str:
    """What a person reads of an organisation that is closed to us, with the mend."""
    return f"tenant {tenant_id} was disconnected: run `duebell connect`; its events wait"


@dataclass(frozen=True, slots=True)
class Rest:
    """Why a tenant's inbox is left alone: a name for the run's state, and a sentence."""

    name: str
    message: str


def wait_for_xero(resources: Resources, claim: Claim, wait: Postponed) -> Said:
    """Give a claim back whose invoice could not be looked at again: nothing was posted, it is sent later."""
    now = resources.clock()
    later = wait.until or now + LATER
    with writing(resources.engine, now) as book:
        return let_go(book, claim, NotificationState.PLANNED, REASON, not_before=now, dispatch_at=later)


def rest_of(engine: Engine, tenant_id: str, clock: Clock) -> Rest:
    """Why nobody may drain a tenant's inbox now."""
    tenant = tenants.get(engine, tenant_id)
    if tenant.state != TenantState.CONNECTED:
        return Rest(NOT_CONNECTED, closed_in_words(tenant_id))
    if tenant.parked_until is not None and tenant.parked_until > clock():
        until = utc(tenant.parked_until)
        return Rest(
            f"Parked until {until}", f"the day's calls to Xero are used up; events wait until {until}"
        )
    if tenant.synced_at is None:
        return Rest("Not read yet", f"tenant {tenant_id} is being read for the first time; its events wait")
    return Rest("Already draining", "another run holds this tenant's inbox")
