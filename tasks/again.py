"""What a person wants looked at, or said, again, as steps of a flow."""

from datetime import datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from duebell.books.access import XeroAccess
from duebell.books.calls import Purpose
from duebell.ledger.engine import reading
from duebell.ledger.failing import tried_again
from duebell.ledger.writing import writing
from duebell.planning import replaying
from duebell.planning.draining import RunToStart
from duebell.planning.replaying import AT_ONCE, Replayed
from duebell.resources import resources
from duebell.sending import resending
from duebell.sending.resending import Resend
from duebell.sending.telling import rules_of
from duebell.visible import in_markdown
from tasks._prefect import RETRYING, access_to, own_run_id


@task(cache_policy=NO_CACHE)
def find_invoices(
    tenant_id: str, invoices: list[str] | None, since: datetime | None, until: datetime | None
) -> list[str]:
    """The ids of the invoices that are named, or of which an event came in the period."""
    with reading(resources().engine) as session:
        found = replaying.find(session, tenant_id, invoices or [], since, until)
    get_run_logger().info("%d invoices are to be looked at again", len(found))
    return found


@task(**RETRYING, cache_policy=NO_CACHE)
@tried_again()
def decide_again(tenant_id: str, invoice_ids: list[str]) -> Replayed:
    """Compare and decide on these invoices as if their events had just come."""
    whole = Replayed()
    for start in range(0, len(invoice_ids), AT_ONCE):
        with writing(resources().engine, resources().clock()) as book:
            whole += replaying.replay(
                book,
                tenant_id,
                invoice_ids[start : start + AT_ONCE],
                rules_of(resources()),
                flow_run_id=own_run_id(),
            )
    get_run_logger().info(whole.sentence())
    return whole


@task(**RETRYING, cache_policy=NO_CACHE)
def read_named(invoice: str) -> str:
    """Have an invoice, by its number or id, as it is in Xero now; returns its tenant."""

    def access(tenant_id: str) -> XeroAccess:
        return access_to(tenant_id, Purpose.RESEND)

    return resending.read_first(resources(), invoice, access)


@task(**RETRYING, cache_policy=NO_CACHE)
@tried_again()
def plan_resend(
    invoice: str,
    kind: str,
    payment_id: str | None,
    stage: str | None,
    why: str,
    by: str,
    to: str | None = None,
) -> Resend:
    """Plan one more message about an invoice, under a key of its own.

    Who wants it and why stand in the audit trail alone: Prefect keeps an artifact in clear.
    """
    planned = resending.resend(
        resources(),
        invoice,
        by=f"person:{by.strip()}" if by.strip() else "",
        why=why,
        kind=kind,
        payment_id=payment_id,
        stage=stage or "",
        to=to or "",
        run_id=own_run_id(),
    )
    page = f"{planned.sentence()}. `duebell audit` has who asked for it, and why."
    about = f"{kind} of {in_markdown(planned.number)} is {planned.state}"
    create_markdown_artifact(key="resend", markdown=page, description=about)
    return planned


@task(cache_policy=NO_CACHE)
def run_for(planned: Resend, kind: str) -> list[RunToStart]:
    """The run that sends it, if it may be sent now; else the net makes one when it may."""
    return [RunToStart(kind, (planned.invoice_id,), (planned.number,))] if planned.goes_out else []
