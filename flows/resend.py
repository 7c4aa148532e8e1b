"""A person wants one message said once more."""

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from duebell.sending.resending_which import PersonInKey, Resendable
from tasks._prefect import ends_calmly
from tasks.again import plan_resend, read_named, run_for
from tasks.runs import start_runs


@flow(name="resend", flow_run_name="resend {invoice}", persist_result=False)
@ends_calmly
def resend(
    invoice: str,
    why: str,
    by: str,
    kind: Resendable = "invoice_issued",
    payment_id: str | None = None,
    stage: str | None = None,
    to: PersonInKey | None = None,
) -> State[None]:
    """Send the message about one invoice once more, as far as it is still true.

    Retrying the run sends nothing more: that takes a new one.

    Args:
        invoice: its number (INV-0042), or its id in Xero.
        why: the reason, for the audit trail, in words that name no customer: Prefect keeps it in clear.
        by: who wants it, for the audit trail: initials or a role, for Prefect keeps it in clear.
        kind: what the message was about.
        payment_id: which payment, by its id in Xero, where there are several.
        stage: which reminder, where there are several.
        to: a contact person in the customer's place: the sixteen digits and letters behind the `/` of the
            key of a message to them, as `duebell audit INV-0042` shows it. Without it, the customer.
    """
    read_named(invoice)
    planned = plan_resend(invoice, kind, payment_id, stage, why, by, to)
    start_runs(planned.tenant_id, run_for(planned, kind))
    return Completed(name=planned.state.capitalize(), message=planned.sentence())
