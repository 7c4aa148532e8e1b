"""What a played policy tells customers of the issue of their invoices, as the ledger would know it."""

from datetime import datetime

from duebell.deciding.subjects import Subject
from duebell.keys import INVOICE_ISSUED
from duebell.ledger.announcements import Announced
from duebell.policy.verdict import Hold, Send, Verdict


class Announcements:
    """What was said of it, or waits for its time."""

    def __init__(self) -> None:
        self._theirs: dict[str, dict[Subject, Announced]] = {}

    def note(self, subject: Subject, verdict: Verdict) -> None:
        """Keep that it is about to be said, or that it is not."""
        if subject.kind != INVOICE_ISSUED or subject.team:
            return
        theirs = self._theirs.setdefault(subject.subject_id, {})
        theirs.pop(subject, None)
        if isinstance(verdict, Send) or (isinstance(verdict, Hold) and verdict.not_before is not None):
            theirs[subject] = Announced(None, person=subject.person)

    def said(self, subject: Subject, contact_id: str, address: str, now: datetime) -> None:
        """Keep when it was said."""
        if subject in self._theirs.get(subject.subject_id, ()):
            self._theirs[subject.subject_id][subject] = Announced(now, contact_id, subject.person, address)

    def of_invoice(self, invoice_id: str) -> tuple[Announced, ...]:
        """Of this invoice."""
        return tuple(self._theirs.get(invoice_id, {}).values())
