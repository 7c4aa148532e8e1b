"""What is owed about some invoices, and how it is decided now: read and decided, nothing written."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from duebell.deciding.deciding import Basis, Rules, decide, own_of, subject_of, subjects_of
from duebell.deciding.known import Known, known_of, with_reminders, with_told
from duebell.deciding.subjects import Subject
from duebell.deciding.taken_over import takes_over
from duebell.keys import INVOICE_OVERDUE, NEEDS_ATTENTION
from duebell.ledger import groups, legs, present
from duebell.ledger.dispatch import RUN_CANCELLED
from duebell.ledger.tables import Leg, Notification
from duebell.policy.teams import daily_recipients, has_somebody, team_of
from duebell.policy.verdict import Skip, Verdict
from duebell.policy_file.policy import Policy
from duebell.states import WAITING, NotificationState

S = NotificationState

SWEPT = frozenset({INVOICE_OVERDUE, NEEDS_ATTENTION})
"""The kinds that no event begins: the sweep does, by the day that it is."""

BEFORE_LIVE = "planned_before_going_live"
"""The reason of what a person left out when the organisation went live."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The invoices that are asked about. ``companions`` are those told together with them.

    ``begins``: a stage that nobody has begun for an invoice may begin. An event does not begin one: the
    ladder is climbed by the sweep alone, in its hours. ``gathers``: with them goes all that is due for
    the teams' daily messages, of whatever kind, though none of it is asked about.
    """

    tenant_id: str
    kind: str
    invoice_ids: Sequence[str]
    companions: Sequence[str] = ()
    begins: bool = True
    gathers: bool = False


@dataclass(frozen=True, slots=True)
class Crowd:
    """What holds a message back because of all the others.

    ``unusual``: a person is asked about them first; ``lifted_at`` is when one last let them go.
    ``next_hour`` is when the next may go out, where this hour has room for no more.
    """

    unusual: bool = False
    lifted_at: datetime | None = None
    next_hour: datetime | None = None


ALONE = Crowd()


@dataclass(frozen=True, slots=True)
class Prospect:
    """A piece of news for one person. ``verdict`` is empty for one that stands, whatever is true now.

    ``basis`` is what the verdict rests on, and ``crowd`` what it rests on beside, where it is one of many.
    """

    subject: Subject
    known: Known
    row: Notification | None
    verdict: Verdict | None
    basis: Basis | None = None
    crowd: Crowd = ALONE


@dataclass(frozen=True, slots=True)
class Outlook:
    """The prospects, with all that is known of their invoices."""

    prospects: tuple[Prospect, ...]
    known: Mapping[str, Known]


def outlook(session: Session, asked: Asked, rules: Rules, now: datetime) -> Outlook:
    """Decide on everything that is owed about these invoices."""
    everything = list(dict.fromkeys([*asked.invoice_ids, *asked.companions]))
    standing = present.of_invoices(session, asked.tenant_id, asked.kind, everything)
    policy = rules.policy.for_tenant(asked.tenant_id)
    gathered = gathered_with(session, asked, standing, policy, now)
    if asked.kind in SWEPT and not asked.begins and not standing and not gathered:
        return Outlook((), {})
    known = known_of(session, asked.tenant_id, [*everything, *(row.invoice_id for row in gathered)])
    for_teams = asked.kind in SWEPT or bool(gathered) or policy.hears_of_news
    to_teams = for_teams and has_somebody(policy.team)
    known = with_told(session, asked.tenant_id, known, rules.channels, teams=to_teams)
    if for_teams:
        known = with_reminders(session, asked.tenant_id, known, policy, now)
    own = {one: known[one] for one in everything if one in known}
    one = _Outlook(asked, rules, now, own, standing, _failed(session, [*standing, *gathered]))
    others = one.others([row for row in gathered if row.invoice_id in known], known)
    return Outlook((*one.firsts(), *one.resends(), *others), known)


def gathered_with(
    session: Session, asked: Asked, standing: Sequence[Notification], policy: Policy, now: datetime
) -> list[Notification]:
    """What is due for the teams' daily messages beside what stands of what is asked about.

    A daily message is put together as a whole, or left alone.
    """
    daily = daily_recipients(policy.team)
    if not asked.gathers and not any(row.recipient in daily and groups.is_due(row, now) for row in standing):
        return []
    own = {row.notification_id for row in standing}
    return [
        row for row in groups.due_for(session, asked.tenant_id, daily, now) if row.notification_id not in own
    ]


class _Outlook:
    def __init__(
        self,
        asked: Asked,
        rules: Rules,
        now: datetime,
        known: Mapping[str, Known],
        standing: Sequence[Notification],
        failed: Mapping[int, frozenset[str]],
    ) -> None:
        self._asked = asked
        self._rules = rules
        self._now = now
        self._known = known
        self._standing = [row for row in standing if row.invoice_id in known]
        self._failed = failed
        self._waiting: dict[str, list[Subject]] = {}
        for row in self._standing:
            if row.generation == 0 and S(row.state) in WAITING:
                self._waiting.setdefault(row.invoice_id, []).append(subject_of(row))
        self._resent = {subject_of(row) for row in standing if takes_over(row)}
        self._firsts = {subject_of(row): row for row in reversed(standing) if row.generation == 0}

    def firsts(self) -> Iterator[Prospect]:
        """Those that nobody has asked for; none where a person has taken over with a re-send.

        The first one must not come back beside theirs.
        """
        for invoice_id in sorted(self._known):
            for subject in self._subjects(self._known[invoice_id]):
                if subject not in self._resent and self._is_in_time(subject):
                    yield self._first(subject, self._known[invoice_id])

    def resends(self) -> Iterator[Prospect]:
        """The re-sends that wait, decided anew."""
        for row in self._standing:
            if row.generation > 0 and S(row.state) in WAITING:
                known = self._known[row.invoice_id]
                yield self._decided(subject_of(row), known, row)

    def others(self, rows: Sequence[Notification], known: Mapping[str, Known]) -> Iterator[Prospect]:
        """What waits of other kinds, or of other invoices, decided anew."""
        for row in rows:
            about = known[row.invoice_id]
            yield self._decided(subject_of(row), about, row)

    def _subjects(self, known: Known) -> Sequence[Subject]:
        """What there is to tell, and what waits of it although there is nothing to tell any more."""
        asked, invoice_id = self._asked, known.read.invoice.invoice_id
        waiting = self._waiting.get(invoice_id, [])
        if asked.kind in SWEPT and invoice_id not in asked.invoice_ids:
            return waiting
        today = subjects_of(asked.kind, known, self._rules, self._now)
        if asked.kind in SWEPT and not asked.begins:
            today = tuple(one for one in today if one in self._firsts)
        return tuple(dict.fromkeys([*today, *waiting]))

    def _is_in_time(self, subject: Subject) -> bool:
        """Whether it is news for this one: who is added later, a further person at the customer or a further
        address of a team, does not hear of what the others were told before."""
        row = self._firsts.get(subject)
        if row is not None and (subject.team or S(row.state) is not S.SKIPPED):
            return True
        if not subject.person and not subject.team:
            return True
        beside = (other for one, other in self._firsts.items() if _is_beside(one, subject))
        return all(_may_change(other) for other in beside)

    def _first(self, subject: Subject, known: Known) -> Prospect:
        row = self._firsts.get(subject)
        if row is not None and not _may_change(row):
            return Prospect(subject, known, row, None)
        return self._decided(subject, known, row)

    def _decided(self, subject: Subject, known: Known, row: Notification | None) -> Prospect:
        # One that was left out is seen anew: what was news when a contact had no phone need not be now.
        waits = row is not None and S(row.state) in WAITING
        basis = Basis(
            subject,
            known,
            self._rules,
            self._now,
            seen_at=row.planned_at if row is not None and waits else self._now,
            forced=row is not None and row.generation > 0,
            failed=self._failed.get(row.notification_id or 0, frozenset()) if row else frozenset(),
            own=own_of(row),
        )
        verdict = decide(basis)
        stands = is_with_a_person(row) and not isinstance(verdict, Skip)
        return Prospect(subject, known, row, None if stands else verdict, basis)


def is_with_a_person(row: Notification | None) -> bool:
    """Whether somebody cancelled its run, and nobody has run it again yet."""
    return row is not None and row.state == S.HELD and row.reason == RUN_CANCELLED


def _is_beside(one: Subject, subject: Subject) -> bool:
    """Whether it is the same news for the customer of this person, or for another address of this team."""
    same = (one.kind, one.subject_id, one.step) == (subject.kind, subject.subject_id, subject.step)
    return same and not one.person and team_of(one.team) == team_of(subject.team)


def _may_change(row: Notification) -> bool:
    """Whether a verdict still counts: not for what is being told or was, nor for what a person left out."""
    return S(row.state) in WAITING | {S.SKIPPED} and row.reason != BEFORE_LIVE


def _failed(session: Session, standing: Sequence[Notification]) -> dict[int, frozenset[str]]:
    """The channels by which each of these has failed; they are not tried again."""
    ids = [row.notification_id for row in standing if S(row.state) in WAITING | {S.SKIPPED}]
    wanted = select(Leg).where(col(Leg.notification_id).in_(ids)).order_by(col(Leg.position))
    theirs: dict[int, list[Leg]] = {}
    for leg in session.exec(wanted).all():
        theirs.setdefault(leg.notification_id, []).append(leg)
    return {notification_id: legs.channels_over(found) for notification_id, found in theirs.items()}
