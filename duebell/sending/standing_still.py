"""What keeps every message of an organisation waiting now, whatever was decided about it."""

from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session

from duebell.books.calls import utc
from duebell.books.parking import UNREAD, closed_in_words
from duebell.ledger.tables import Tenant
from duebell.sending.stopping import goes_on_by, in_the_way_of
from duebell.states import Sending, TenantState

NOTHING_OUT = "DUEBELL_SENDING=review lets nothing out of this installation"


def stands_still(session: Session, tenant: Tenant, ceiling: Sending, now: datetime) -> Iterator[str]:
    """Why nothing goes out of this organisation now, each with its mend; nothing where messages go out.

    ``ceiling`` is the installation's: while that is review, going live changes nothing.
    """
    if ceiling is Sending.REVIEW:
        yield NOTHING_OUT
    for brake in in_the_way_of(session, tenant.tenant_id):
        of_one = " of this organisation" if brake.scope == tenant.tenant_id else ""
        why = f", because {brake.why}" if brake.why else ""
        yield f"sending{of_one} was stopped by {brake.by}{why}: {goes_on_by(brake.scope)} lets it go on"
    if tenant.state != TenantState.CONNECTED:
        yield closed_in_words(tenant.tenant_id)
    elif tenant.synced_at is None:
        yield f"tenant {tenant.tenant_id} {UNREAD}"
    elif tenant.parked_until is not None and tenant.parked_until > now:
        yield f"the day's calls to Xero are used up: its messages wait until {utc(tenant.parked_until)}"
