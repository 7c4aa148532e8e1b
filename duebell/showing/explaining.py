"""Why somebody was told, or was not: what happened to an invoice, and each verdict with what it rested on."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from duebell.clock import on_clock
from duebell.deciding.deciding import RULES, Rules, route_for, subject_of
from duebell.deciding.known import Known
from duebell.errors import ConfigurationError, Permanent
from duebell.ledger import kept_verdicts, present, trail, versions
from duebell.ledger.dispatch import RUN_EXPECTED
from duebell.ledger.engine import reading
from duebell.ledger.named import invoices_named, several
from duebell.ledger.tables import InvoiceSnapshot, KeptVerdict, Leg, Notification, Tenant, XeroEvent
from duebell.model import InvoiceType
from duebell.phone import redact
from duebell.planning.draining import GIVEN_UP
from duebell.policy.verdict import IN_WORDS, Reason
from duebell.resources import Resources
from duebell.sending.standing_still import stands_still
from duebell.sending.telling import rules_of
from duebell.showing.explaining_then import known_at, not_of_then, rules_at
from duebell.showing.explanation import Explanation, Person, Step
from duebell.showing.facts_in_words import (
    When,
    clock_of,
    facts_in_words,
    rule_in_words,
    verdict_in_words,
    whom,
)
from duebell.showing.recalling import Recalled, recall
from duebell.showing.reporting import in_words
from duebell.showing.what_happened import Happened, happened
from duebell.showing.why_silent import why_silent
from duebell.states import EventState, NotificationState

KINDS = tuple(RULES)


LEFT_ALONE = 2 * RUN_EXPECTED
"""How long something may be due until it is said that no run takes it up."""

WORKER_AWAY = "See that `duebell up` runs, and in Prefect's UI that its work pool `duebell` is not paused"

DECIDED = frozenset({"notification planned", "notification held", "notification skipped"})
"""What the trail says beside a verdict of the same moment."""


def explain(resources: Resources, wanted: str, kind: str = "", at: datetime | None = None) -> Explanation:
    """All about the invoice of this number or id, as it stands or as it stood at a time.

    A time without a zone is on the organisation's clock. Raises ``Permanent`` where no such invoice is
    known, where the number names several, for a kind that is none, and for a time that has not come.
    """
    if kind and kind not in KINDS:
        raise Permanent(f"there is no kind of message {kind!r}: there are {', '.join(KINDS)}")
    with reading(resources.engine) as session:
        row = _find(session, wanted)
        if row is None:
            return _unread(session, wanted, resources)
        tenant = session.get_one(Tenant, row.tenant_id)
        moment = on_clock(at, tenant.timezone) if at is not None else None
        if moment is not None and moment > resources.clock():
            raise Permanent(f"{clock_of(tenant.timezone)(moment)} has not come yet: --at looks back")
        one = _Explaining(session, tenant, row, resources, moment)
        return one.explained((kind,) if kind else KINDS)


def _find(session: Session, wanted: str) -> InvoiceSnapshot | None:
    found = invoices_named(session, wanted)
    if len(found) > 1:
        raise several(wanted, found)
    return found[0] if found else None


def _unread(session: Session, wanted: str, resources: Resources) -> Explanation:
    """What is known of an invoice that was never read. Raises ``Permanent`` where that is nothing."""
    events = select(XeroEvent).where(XeroEvent.resource_id == wanted.lower())
    last = session.exec(events.order_by(col(XeroEvent.event_id).desc())).first()
    if last is None:
        raise Permanent(
            f"no invoice is known as {wanted}, and no event named it: check the number. A new invoice is "
            "known by its number once it was read, and by its id in Xero from its first event on"
        )
    outcome = f", {last.outcome}" if last.outcome else ""
    heading = (
        f"Xero told of {wanted} at {last.received_at:%d %b %Y %H:%M} UTC, and it has not been read yet: "
        f"the event is {last.state}{outcome}"
    )
    tenant = present.tenant(session, last.tenant_id)
    if tenant is None:
        return Explanation(heading, "UTC")
    still = stands_still(session, tenant, resources.settings.sending, resources.clock())
    return Explanation(heading, "UTC", still=tuple(still))


def _rules_or_fault(resources: Resources) -> tuple[Rules | None, str]:
    """The rules of today, or what is wrong with them: what happened can be told without them."""
    try:
        return rules_of(resources), ""
    except ConfigurationError as fault:
        return None, str(fault)


class _Explaining:
    def __init__(
        self,
        session: Session,
        tenant: Tenant,
        row: InvoiceSnapshot,
        resources: Resources,
        at: datetime | None,
    ) -> None:
        self._session, self._tenant, self._row = session, tenant, row
        self._at, self._now, self._ceiling = at, resources.clock(), resources.settings.sending
        self._rules, self._without = _rules_or_fault(resources)
        self._when: When = clock_of(tenant.timezone)

    def explained(self, kinds: Sequence[str]) -> Explanation:
        rows = [row for kind in kinds for row in self._rows(kind)]
        known = self._known()
        read = happened(versions.of_invoice(self._session, self._row))
        seen = [*read, *(Happened(one.received_at, what) for one, what in self._not_read())]
        return Explanation(
            f"{self._row.number or self._row.invoice_id} of {self._tenant.name}",
            self._tenant.timezone,
            tuple(one for one in seen if self._by_then(one.at)),
            tuple(self._person(row) for row in rows),
            tuple(self._silent(kinds, rows, known)),
            tuple(self._still()) if self._at is None else (),
            tuple(self._not_of_then(known)),
        )

    def _not_read(self) -> Iterator[tuple[XeroEvent, str]]:
        """What Xero told of and nobody could read, the newest last."""
        waits = (col(XeroEvent.state) == EventState.PENDING.value) & (col(XeroEvent.outcome) != "")
        events = select(XeroEvent).where(
            XeroEvent.tenant_id == self._row.tenant_id,
            XeroEvent.category == "INVOICE",
            XeroEvent.resource_id == self._row.invoice_id,
            waits | col(XeroEvent.outcome).startswith(GIVEN_UP),
        )
        for event in self._session.exec(events.order_by(col(XeroEvent.event_id))):
            yield event, f"Xero told of a change that could not be read: {event.outcome}"

    def _still(self) -> Iterator[str]:
        return stands_still(self._session, self._tenant, self._ceiling, self._now)

    def _by_then(self, moment: datetime | None) -> bool:
        return self._at is None or moment is None or moment <= self._at

    def _rows(self, kind: str) -> list[Notification]:
        tenant_id, ids = self._row.tenant_id, [self._row.invoice_id]
        rows = present.of_invoices(self._session, tenant_id, kind, ids)
        return [row for row in rows if self._by_then(row.planned_at)]

    def _known(self) -> Known | None:
        if self._rules is None:
            return None
        return known_at(self._session, self._row, self._rules, self._at, self._now)

    def _not_of_then(self, known: Known | None) -> Iterator[str]:
        if self._rules is None or self._at is None or known is None:
            return
        if known.read.invoice.type is InvoiceType.SALE:
            rules = rules_at(self._session, self._rules, self._at)
            yield from not_of_then(self._session, known, rules, self._at, self._when)

    def _silent(
        self, kinds: Sequence[str], rows: Sequence[Notification], known: Known | None
    ) -> list[tuple[str, str]]:
        if self._rules is None:
            return [("", f"what else would be said cannot be told: {self._without}")]
        if known is None:
            return [("", "it had not been read by then")]
        if known.read.invoice.type is not InvoiceType.SALE:
            return [("", IN_WORDS[Reason.NOT_A_SALE])]
        now, rules = self._at or self._now, rules_at(self._session, self._rules, self._at)
        told = [subject_of(row) for row in rows]
        return [
            (kind, why) for kind in kinds for why in why_silent(kind, known, rules, now, told, self._when)
        ]

    def _person(self, row: Notification) -> Person:
        subject = subject_of(row)
        legs = select(Leg.address).where(
            Leg.notification_id == row.notification_id, Leg.position == row.leg_position
        )
        address = self._session.exec(legs).first()
        why = in_words(row.reason) or self._left_alone(row)
        stands = f"{row.state}: {why}" if why else row.state
        return Person(
            row.kind,
            row.step.partition("@")[0],
            f"{whom(subject)} {redact(address) if address else ''}".rstrip(),
            stands.replace("_", " ", 1) if self._at is None else "",
            tuple(self._steps(row)),
        )

    def _left_alone(self, row: Notification) -> str:
        """Why what is to go out does not, where nothing was ever decided against it."""
        if row.state != NotificationState.PLANNED or row.not_before is None:
            return ""
        if row.not_before > self._now - LEFT_ALONE or any(self._still()):
            return ""
        return f"no run has taken it up since {self._when(row.not_before)}. {WORKER_AWAY}"

    def _steps(self, row: Notification) -> list[Step]:
        kept = kept_verdicts.of_notifications(self._session, [row.notification_id or 0])
        verdicts = [self._verdict(one) for one in kept]
        decided = {one.at for one in verdicts}
        done = [
            Step(one.at, one.actor, f"{one.action}{f': {in_words(one.reason)}' if one.reason else ''}")
            for one in trail.of_subject(self._session, row.key)
            if not (one.at in decided and one.action in DECIDED)
        ]
        # Sorted by time alone, so that at one moment the verdict stands before what followed from it.
        return sorted((one for one in [*verdicts, *done] if self._by_then(one.at)), key=lambda one: one.at)

    def _verdict(self, kept: KeptVerdict) -> Step:
        one = recall(self._session, kept, self._tenant, self._row.invoice_id)
        return Step(
            kept.at, kept.actor, verdict_in_words(one.said, self._when, kept.at), self._details(kept, one)
        )

    def _details(self, kept: KeptVerdict, one: Recalled) -> tuple[str, ...]:
        if one.basis is None:
            return (f"It cannot be decided again: {one.lacking}.",)
        rule = rule_in_words(route_for(one.basis.subject, one.basis.known, one.basis.policy))
        agrees = "the same"
        if one.again is not None and one.again != one.said:
            again = verdict_in_words(one.again, self._when, kept.at)
            agrees = f"it now {again}. That is another verdict: Duebell was changed since"
        return (
            f"{rule}; policy {kept.policy_sha256[:8]}",
            *facts_in_words(one.basis, one.facts, self._when),
            f"decided again from what was kept: {agrees}",
        )
