"""What a team could be told beside the stages: each piece of a customer's news, and all of it at once."""

from collections.abc import Iterator, Sequence

from duebell.deciding.known import Known
from duebell.deciding.subjects import Subject
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, NEEDS_ATTENTION, PAYMENT_RECEIVED, team_recipient
from duebell.policy.reasons import Reason
from duebell.policy_file.policy import Policy
from duebell.policy_file.sections import Attention, Digest
from duebell.policy_file.shapes import CUSTOMER
from duebell.render.wording import Told


def news(one: Known, policy: Policy) -> Iterator[Told]:
    """What the teams could hear of one invoice, each thing for each team that the policy has hear of it."""
    invoice_id = one.read.invoice.invoice_id
    for name in policy.invoice_issued.teams if policy.invoice_issued.enabled else ():
        yield Told(Subject(INVOICE_ISSUED, invoice_id, team=team_recipient(name)), one)
    for name in policy.payment_received.teams if policy.payment_received.enabled else ():
        for payment in one.payments:
            if one.payment(payment.subject_id) is not None:
                yield Told(Subject(PAYMENT_RECEIVED, payment.subject_id, team=team_recipient(name)), one)
    for name, team in policy.team.items():
        for step in _steps(one):
            if Attention(step.partition("@")[0]) in team.hears:
                yield Told(Subject(NEEDS_ATTENTION, invoice_id, step, team_recipient(name)), one)


def _steps(one: Known) -> Iterator[str]:
    """All that could need somebody; whether it does is decided when it is."""
    invoice = one.read.invoice
    yield f"{Attention.NOT_TOLD.value}@{Reason.NO_PHONE.value}"  # any other cause is said in the same place
    if (invoice.amount_due or 0) <= 0:
        return
    if invoice.expected_payment_on is not None:
        yield f"{Attention.PROMISE_BROKEN.value}@{invoice.expected_payment_on.isoformat()}"
    if invoice.due_on is not None:
        yield f"{Attention.CREDIT_WAITS.value}@{invoice.due_on.isoformat()}"


def days(told: Sequence[Told], policy: Policy) -> Iterator[list[Told]]:
    """A day of several kinds for each team that hears once a day, made of all these."""
    for name, team in policy.team.items():
        theirs = [one for one in told if one.subject.team == team_recipient(name)]
        if team.digest is Digest.DAILY and len({one.subject.kind for one in theirs}) > 1:
            yield sorted(theirs, key=lambda one: one.subject.kind != INVOICE_OVERDUE)


def hearing_all(policy: Policy) -> Policy:
    """The same, but every team hears of everything: what nobody hears of today is not to fail tomorrow."""
    tell = (CUSTOMER, *(team_recipient(name) for name in policy.team))
    return policy.model_copy(
        update={
            "invoice_issued": policy.invoice_issued.model_copy(update={"tell": tell}),
            "payment_received": policy.payment_received.model_copy(update={"tell": tell}),
            "team": {
                name: team.model_copy(update={"hears": tuple(Attention), "digest": Digest.DAILY})
                for name, team in policy.team.items()
            },
        }
    )
