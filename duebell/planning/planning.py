"""Planning: from what the ledger knows of an invoice to what is owed to whom, and whether to say it now."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from duebell.deciding.deciding import Basis, Rules, Subject, decide, subject_of
from duebell.deciding.grounds import grounds_of
from duebell.deciding.grouping import groups_of
from duebell.deciding.known import Known
from duebell.deciding.prospects import Asked, Prospect, gathered_with, outlook
from duebell.keys import (
    INVOICE_OVERDUE,
    contact_recipient,
    dedup_key,
    first_key,
    person_recipient,
    resend_key,
)
from duebell.ledger import groups, notifications, planning_turns, present, snapshots
from duebell.ledger.notifications import Owed
from duebell.ledger.tables import Notification, Tenant
from duebell.ledger.volumes import volume_of
from duebell.ledger.writing import Writing
from duebell.planning.volume import held_back, is_unusual, would_go
from duebell.policy_file.policy import Policy


def plan_kind(
    book: Writing,
    tenant_id: str,
    kind: str,
    invoice_ids: Sequence[str],
    rules: Rules,
    *,
    actor: str,
    flow_run_id: str | None,
    begins: bool = True,
) -> list[Notification]:
    """Write one notification a person and piece of news for these invoices, and decide waiting ones anew.

    The first key stays: a merged or exchanged contact is no second piece of news. What is told together
    with another invoice's news is decided together with it. Without ``begins`` no stage of the ladder that
    nobody has heard of is begun.
    """
    asked = ask(book, Asked(tenant_id, kind, invoice_ids, begins=begins), rules)
    found = outlook(book.session, asked, rules, book.now)
    policy = rules.policy.for_tenant(tenant_id)
    prospects: Sequence[Prospect] = found.prospects
    if kind == INVOICE_OVERDUE:
        prospects = _within_usual(book, tenant_id, prospects, policy)
    return write(book, found.known, prospects, policy, actor=actor, flow_run_id=flow_run_id)


def ask(book: Writing, asked: Asked, rules: Rules) -> Asked:
    """The same with what is told together with it; nobody else decides about these until this ends."""
    planning_turns.plans(book, asked.tenant_id)
    together = groups.companions(book.session, asked.tenant_id, asked.kind, asked.invoice_ids)
    standing = present.of_invoices(book.session, asked.tenant_id, asked.kind, together)
    policy = rules.policy.for_tenant(asked.tenant_id)
    gathered = gathered_with(book.session, asked, standing, policy, book.now)
    snapshots.hold(book.session, asked.tenant_id, [*together, *(row.invoice_id for row in gathered)])
    return replace(asked, companions=together)


def _within_usual(
    book: Writing, tenant_id: str, prospects: Sequence[Prospect], policy: Policy
) -> list[Prospect]:
    """The prospects, those held that a person has to be asked about because they are so many."""
    reminders = [one for one in prospects if one.subject.kind == INVOICE_OVERDUE]
    if not any(would_go(one.verdict, one.row) for one in reminders):
        return list(prospects)
    tenant = book.session.get_one(Tenant, tenant_id)
    volume = volume_of(book.session, tenant, book.now, policy.limits.breaker_days)
    unusual = is_unusual(reminders, volume, policy, book.now, whole=False)
    return [held_back(one, volume, book.now, unusual=unusual) for one in prospects]


def write(
    book: Writing,
    known: Mapping[str, Known],
    prospects: Sequence[Prospect],
    policy: Policy,
    *,
    actor: str,
    flow_run_id: str | None,
) -> list[Notification]:
    """Write the prospects down, each under the key that stands already or its first one, and group them."""
    rows: list[Notification] = []
    for one in prospects:
        if one.verdict is not None:
            owed, takes_over = _owed(one), policy.of_kind(one.subject.kind).fall_back
            row = notifications.plan(
                book,
                owed,
                one.verdict,
                actor=actor,
                flow_run_id=flow_run_id,
                takes_over=takes_over,
                grounds=one.basis and grounds_of(one.basis, one.verdict, one.row, one.crowd),
            )
            rows.append(row)
        elif one.row is not None:
            rows.append(one.row)
    book.session.flush()
    for group in groups_of(rows, known, policy, book.now):
        groups.join(book, group.lead, group.members)
    return rows


def _owed(one: Prospect) -> Owed:
    if one.row is not None and one.row.generation > 0:
        return owed_again(one.row)
    return owed_for(one.known.tenant.tenant_id, one.subject, one.known, one.row)


def owed_for(tenant_id: str, subject: Subject, known: Known, standing: Notification | None = None) -> Owed:
    """Who is owed a piece of news: each person once, under the key that may stand already."""
    recipient = standing.recipient if standing else _recipient(subject, known)
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


def _recipient(subject: Subject, known: Known) -> str:
    contact_id = known.contact_id or "none"
    if subject.person:
        return person_recipient(contact_id, subject.person)
    return subject.team or contact_recipient(contact_id)


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
    rows = present.of_invoices(book.session, original.tenant_id, original.kind, [original.invoice_id])
    first = first_key(original.key)
    generation = 1 + max(row.generation for row in rows if first_key(row.key) == first)
    owed = replace(
        owed_again(original),
        key=resend_key(first, generation),
        contact_id=known.contact_id,
        generation=generation,
        forced_by=by,
        forced_why=why,
    )
    basis = Basis(subject_of(original), known, rules, book.now, seen_at=book.now, forced=True)
    verdict = decide(basis)
    return notifications.plan(
        book,
        owed,
        verdict,
        actor=by,
        flow_run_id=None,
        takes_over=basis.policy.of_kind(original.kind).fall_back,
        grounds=grounds_of(basis, verdict),
    )
