"""Planning: from what the ledger knows of an invoice to what is owed to whom, and whether to say it now."""

from collections.abc import Sequence

from duebell.deciding import Rules, Subject, decide, decide_again, subject_of, subjects_of
from duebell.grouping import groups_of
from duebell.keys import contact_recipient, dedup_key
from duebell.known import Known, known_of
from duebell.ledger import groups, legs, notifications, snapshots
from duebell.ledger.notifications import Owed
from duebell.ledger.tables import Notification
from duebell.ledger.writing import Writing
from duebell.states import WAITING, NotificationState


def plan_kind(
    book: Writing,
    tenant_id: str,
    kind: str,
    invoice_ids: Sequence[str],
    rules: Rules,
    *,
    actor: str,
    flow_run_id: str | None,
) -> list[Notification]:
    """Write one notification a person and piece of news for these invoices, and decide waiting ones anew.

    The first key stays: a merged or exchanged contact is no second piece of news. What is told together
    with another invoice's news is decided together with it.
    """
    wanted = groups.companions(book.session, tenant_id, kind, invoice_ids)
    snapshots.hold(book.session, tenant_id, wanted)
    known = known_of(book.session, tenant_id, wanted)
    standing = notifications.of_invoices(book.session, tenant_id, kind, wanted)
    planner = _Planner(book, tenant_id, rules, actor, flow_run_id, standing)
    rows = [
        row
        for invoice_id in sorted(known)
        for subject in subjects_of(kind, known[invoice_id], rules, book.now)
        if (row := planner.first(subject, known[invoice_id])) is not None
    ]
    rows += [planner.again(row, known[row.invoice_id]) for row in standing if _is_waiting_resend(row)]
    book.session.flush()
    for group in groups_of(rows, known):
        groups.join(book, group.lead, group.members)
    return rows


class _Planner:
    """Writes the notifications of one kind, each under the key that stands already or its first one."""

    def __init__(
        self,
        book: Writing,
        tenant_id: str,
        rules: Rules,
        actor: str,
        flow_run_id: str | None,
        standing: Sequence[Notification],
    ) -> None:
        self._book = book
        self._tenant_id = tenant_id
        self._rules = rules
        self._actor = actor
        self._flow_run_id = flow_run_id
        self._resent = {subject_of(row) for row in standing if row.generation > 0}
        self._firsts = {subject_of(row): row for row in reversed(standing) if row.generation == 0}

    def first(self, subject: Subject, known: Known) -> Notification | None:
        """The notification of this subject; none where a person has taken over with a re-send.

        The first one must not come back beside theirs.
        """
        if subject in self._resent:
            return None
        row = self._firsts.get(subject)
        # One that was left out is seen anew: what was news when a contact had no phone need not be now.
        seen_at = row.planned_at if row and NotificationState(row.state) in WAITING else self._book.now
        failed = legs.failed_channels(self._book.session, row)
        verdict = decide(
            subject, known, self._rules, seen_at=seen_at, forced=False, now=self._book.now, failed=failed
        )
        owed = owed_for(self._tenant_id, subject, known, row)
        return notifications.plan(self._book, owed, verdict, actor=self._actor, flow_run_id=self._flow_run_id)

    def again(self, row: Notification, known: Known) -> Notification:
        """A re-send that waits, decided anew."""
        failed = legs.failed_channels(self._book.session, row)
        verdict = decide_again(row, known, self._rules, self._book.now, failed)
        return notifications.plan(
            self._book, owed_again(row), verdict, actor=self._actor, flow_run_id=self._flow_run_id
        )


def _is_waiting_resend(row: Notification) -> bool:
    return row.generation > 0 and NotificationState(row.state) in WAITING


def owed_for(tenant_id: str, subject: Subject, known: Known, standing: Notification | None = None) -> Owed:
    """Who is owed a piece of news: the invoice's contact, once, under the key that may stand already."""
    recipient = subject.team or contact_recipient(known.contact_id or "none")
    recipient = standing.recipient if standing else recipient
    key = dedup_key(tenant_id, subject.kind, subject.subject_id, recipient, step=subject.step)
    return Owed(
        standing.key if standing else key,
        tenant_id,
        subject.kind,
        subject.subject_id,
        known.read.invoice.invoice_id,
        recipient,
        known.contact_id,
        subject.step,
    )


def owed_again(row: Notification) -> Owed:
    """What a planned notification owes, to be decided anew."""
    return Owed(
        row.key,
        row.tenant_id,
        row.kind,
        row.subject_id,
        row.invoice_id,
        row.recipient,
        row.contact_id,
        row.step,
        row.generation,
    )


def plan_resend(
    book: Writing, original: Notification, known: Known, rules: Rules, *, by: str, why: str
) -> Notification:
    """A forced re-send: a new key with its generation, its reason and its author."""
    base = original.key.split("#", 1)[0]
    rows = notifications.of_invoices(book.session, original.tenant_id, original.kind, [original.invoice_id])
    generation = 1 + max(row.generation for row in rows if row.key.split("#", 1)[0] == base)
    owed = Owed(
        f"{base}#{generation}",
        original.tenant_id,
        original.kind,
        original.subject_id,
        original.invoice_id,
        original.recipient,
        known.contact_id,
        original.step,
        generation,
        by,
        why,
    )
    verdict = decide(subject_of(original), known, rules, seen_at=book.now, forced=True, now=book.now)
    return notifications.plan(book, owed, verdict, actor=by, flow_run_id=None)
