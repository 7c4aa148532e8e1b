"""What somebody of the business has to do something about, and what a team therefore hears, each once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from duebell.deciding.known import Known
from duebell.deciding.subjects import Case, Subject
from duebell.deciding.team_cases import tell_team
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, NEEDS_ATTENTION
from duebell.ledger.untold import IN_CREDIT, UNDELIVERED, UNKNOWN, Untold
from duebell.model import Invoice, InvoiceStatus, InvoiceType
from duebell.policy.ladder import later, promise_over_on
from duebell.policy.teams import ways_of_team
from duebell.policy.verdict import Reason, Skip, Verdict
from duebell.policy_file.overdue import InvoiceOverduePolicy
from duebell.policy_file.policy import Policy
from duebell.policy_file.sections import Attention

BROKEN_FOR = timedelta(days=14)
"""How long after its end a broken promise is still told of: what lies further back was there before us."""

ABOUT_WHAT_IS_OWED = frozenset({INVOICE_ISSUED, INVOICE_OVERDUE})
WENT_ASTRAY = frozenset({UNDELIVERED, UNKNOWN})


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing. ``detail`` tells it from the next of its kind; ``at`` is empty for what is so by today."""

    what: Attention
    detail: str
    at: datetime | None = None

    @property
    def step(self) -> str:
        """How the key names it: ``promise_broken@2026-11-20``, ``not_told@no_phone``."""
        return f"{self.what.value}@{self.detail}"


def step_of(step: str) -> tuple[Attention, str]:
    """What a step is about, and its detail."""
    what, _, detail = step.partition("@")
    return Attention(what), detail


def attention_of(known: Known, policy: Policy, now: datetime) -> tuple[Subject, ...]:
    """What there is to tell the teams about one invoice, for each of their numbers and addresses."""
    return tuple(
        Subject(NEEDS_ATTENTION, known.read.invoice.invoice_id, one.step, recipient)
        for one in happened(known, policy, now)
        for name, team in policy.team.items()
        if one.what in team.hears
        for recipient in ways_of_team(name, team)
    )


def happened(known: Known, policy: Policy, now: datetime) -> Iterator[Happened]:
    """What is true of an invoice now that somebody has to know of."""
    invoice = known.read.invoice
    if _is_owed(invoice) and (broken := _broken(invoice, policy.invoice_overdue, known, now)):
        yield broken
    seen: set[str] = set()
    for one in known.untold:
        if one.cause == IN_CREDIT and _is_owed(invoice) and invoice.due_on is not None:
            found = Happened(Attention.CREDIT_WAITS, invoice.due_on.isoformat())
        elif one.cause != IN_CREDIT and _is_still_to_tell(one, invoice):
            found = Happened(Attention.NOT_TOLD, one.cause, one.at)
        else:
            continue
        if found.step not in seen:
            seen.add(found.step)
            yield found


def _is_still_to_tell(one: Untold, invoice: Invoice) -> bool:
    """Whether somebody has to see to it. Once nothing is owed, only a payment's message that went astray is:
    that there is no way to thank a customer is nothing to act on.
    """
    return _is_owed(invoice) or (one.kind not in ABOUT_WHAT_IS_OWED and one.cause in WENT_ASTRAY)


def _broken(invoice: Invoice, rules: InvoiceOverduePolicy, known: Known, now: datetime) -> Happened | None:
    promised_on, over_on = invoice.expected_payment_on, promise_over_on(invoice, rules)
    if promised_on is None:
        return None
    over_on = over_on or later(promised_on, rules.promise_grace_days + 1)
    if not over_on <= known.today(now) <= later(over_on, BROKEN_FOR.days):
        return None
    return Happened(Attention.PROMISE_BROKEN, promised_on.isoformat())


def _is_owed(invoice: Invoice) -> bool:
    is_open = invoice.type is InvoiceType.SALE and invoice.status is InvoiceStatus.AUTHORISED
    return is_open and (invoice.amount_due or 0) > 0


def decide_attention(case: Case) -> Verdict:
    """The rule of what needs attention: while it is so, a team that wants to hear of it does."""
    found = {one.step: one for one in happened(case.known, case.about.policy, case.about.now)}
    standing = found.get(case.subject.step)
    if standing is None:
        return Skip(Reason.SEEN_TO)
    return tell_team(case, lambda _name, team: standing.what in team.hears, standing.at)
