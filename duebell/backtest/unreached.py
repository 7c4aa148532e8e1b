"""Customers whom a played policy leaves untold, as the ledger's notifications would tell of them."""

from datetime import datetime

from duebell.deciding.subjects import Subject
from duebell.ledger.untold import IN_CREDIT, NOBODY_REACHED, Untold
from duebell.policy.reasons import Reason
from duebell.policy.verdict import Hold, Skip, Verdict


class Unreached:
    """What stands of it. Every message that is said is taken to arrive."""

    def __init__(self) -> None:
        self._stands: dict[str, dict[Subject, Untold]] = {}
        self._wait_for_credit: set[Subject] = set()

    @property
    def waiting_for_credit(self) -> int:
        """How many reminders are held by credit that waits to be allocated."""
        return len(self._wait_for_credit)

    def waits_for_credit(self, subject: Subject) -> bool:
        """Whether this one is held by it."""
        return subject in self._wait_for_credit

    def note(self, invoice_id: str, subject: Subject, verdict: Verdict, now: datetime) -> bool:
        """Keep what a verdict leaves untold, or that it is untold no more; whether that is new."""
        if subject.team:
            return False
        theirs = self._stands.setdefault(invoice_id, {})
        cause, before = _cause(verdict), theirs.pop(subject, None)
        self._wait_for_credit.discard(subject)
        if cause == IN_CREDIT:
            self._wait_for_credit.add(subject)
        if not cause or (subject.person and cause != IN_CREDIT):
            return False
        if before is not None and before.cause == cause:
            theirs[subject] = before
            return False
        theirs[subject] = Untold(cause, now, subject.kind)
        return True

    def of_invoice(self, invoice_id: str) -> tuple[Untold, ...]:
        """What its customer was not told, the oldest first."""
        return tuple(sorted(self._stands.get(invoice_id, {}).values(), key=lambda one: one.at))


def _cause(verdict: Verdict) -> str:
    match verdict:
        case Hold(reason=Reason.IN_CREDIT):
            return IN_CREDIT
        case Skip(reason=reason) if reason in NOBODY_REACHED:
            return reason.value
        case _:
            return ""
