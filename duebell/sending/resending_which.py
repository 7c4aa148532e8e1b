"""Which message a person means who wants it said again: of an invoice there may be several."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import StringConstraints

from duebell.errors import Permanent
from duebell.keys import INVOICE_OVERDUE, OF_HASH, address_hash, is_contact, person_of
from duebell.ledger import payments, present
from duebell.ledger.tables import InvoiceSnapshot, Notification
from duebell.ledger.writing import Writing

Resendable = Literal["invoice_issued", "payment_received", "invoice_overdue"]
RESENDABLE: tuple[str, ...] = get_args(Resendable)
"""The kinds that a person may have said again: what customers are told; a team is told each day anew."""

PersonInKey = Annotated[str, StringConstraints(pattern=rf"^[0-9a-f]{{{OF_HASH}}}$")]
"""A further person at a customer as the end of a message's key has them, behind the last ``/``."""


def person_meant(to: str) -> str:
    """Who is meant by an email address, or by the end of a key; empty for the customer itself."""
    return address_hash(to) if "@" in to else to.strip().lower()


@dataclass(frozen=True, slots=True)
class About:
    """What a person means: a kind of message about an invoice, for whom, and of which payment or stage."""

    book: Writing
    snapshot: InvoiceSnapshot
    kind: str
    payment_id: str
    stage: str
    person: str

    def rows(self) -> list[Notification]:
        """The notifications of one subject, oldest first. Raises ``Permanent`` where there are several."""
        return self.chosen(self.standing())

    def standing(self) -> list[Notification]:
        """All that stand of the kind, whatever they are about."""
        tenant_id, invoice_id = self.snapshot.tenant_id, self.snapshot.invoice_id
        return present.of_invoices(self.book.session, tenant_id, self.kind, [invoice_id])

    def chosen(self, rows: Iterable[Notification]) -> list[Notification]:
        """Of these the ones that are meant: for whom, of which payment and which stage."""
        meant = [row for row in rows if self.is_for(row)]
        if self.payment_id:
            subject_id = self._subject_id()
            meant = [row for row in meant if row.subject_id == subject_id]
        if self.stage:
            named = self.stage.casefold()
            meant = [row for row in meant if named in {row.step.casefold(), _stage_of(row).casefold()}]
        if len({(row.subject_id, row.step, row.recipient) for row in meant}) > 1:
            what = "reminders" if self.kind == INVOICE_OVERDUE else "messages of this kind"
            raise Permanent(f"there were several {what}: say which with {self._which(meant)}")
        return meant

    def is_for(self, row: Notification) -> bool:
        """Whether it is of the kind and the invoice, for the customer or the further person who is meant."""
        is_of_this = (row.kind, row.invoice_id) == (self.kind, self.snapshot.invoice_id)
        return is_of_this and is_contact(row.recipient) and person_of(row.recipient) == self.person

    def why_none(self, rows: Iterable[Notification], stages: Collection[str]) -> str:
        """Why none of these is meant. ``stages`` are those of the policy."""
        others = [row for row in rows if self.is_for(row)]
        if others:
            named = f"payment {self.payment_id}" if self.payment_id else f"stage {self.stage}"
            return f"there is no message about {named} of this invoice: say which with {self._which(others)}"
        if self.stage and _named(self.stage) not in {one.casefold() for one in stages}:
            return f"there is no stage {self.stage} in the policy: there are {', '.join(stages)}"
        if self.stage:
            return f"the stage {self.stage} of this invoice is not due, and was never said"
        whom = "this person" if self.person else "the customer"
        return f"there is nothing of kind {self.kind} to say to {whom} about this invoice"

    def _subject_id(self) -> str:
        tenant_id, invoice_id = self.snapshot.tenant_id, self.snapshot.invoice_id
        return payments.subject_of(self.book.session, tenant_id, invoice_id, self.payment_id)

    def _which(self, rows: Iterable[Notification]) -> str:
        """What these are told apart by, payments by the ids that Xero shows today."""
        if self.kind == INVOICE_OVERDUE:
            return f"--stage ({', '.join(dict.fromkeys(row.step for row in rows))})"
        tenant_id, invoice_id = self.snapshot.tenant_id, self.snapshot.invoice_id
        known = payments.of_invoices(self.book.session, tenant_id, [invoice_id]).get(invoice_id, ())
        today = {one.subject_id: one.payment_id for one in known}
        ids = dict.fromkeys(today.get(row.subject_id, row.subject_id) for row in rows)
        return f"--payment ({', '.join(ids)})"


def _named(stage: str) -> str:
    """The name alone of a stage that may be given with its due date."""
    return stage.casefold().partition("@")[0]


def _stage_of(row: Notification) -> str:
    return row.step.partition("@")[0]
