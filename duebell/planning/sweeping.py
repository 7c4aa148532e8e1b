"""The sweep: which stages of the ladder have come, over all open invoices of a tenant.

It decides on what the ledger knows and calls Xero for nothing. What it plans is not said yet: the run of
``invoice_overdue`` that follows reads every invoice anew, in batches, and decides again right before it
speaks. To read ten thousand invoices each hour for the few that a message is due for would cost the calls
that these few need.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from duebell.deciding.deciding import Rules
from duebell.deciding.grouping import MOST_REMINDED
from duebell.deciding.prospects import Asked, Prospect, outlook
from duebell.keys import INVOICE_OVERDUE
from duebell.ledger import candidates, planning_turns, tenants, volumes
from duebell.ledger.engine import reading
from duebell.ledger.tables import Tenant
from duebell.ledger.volumes import Volume
from duebell.ledger.writing import writing
from duebell.planning.draining import RunToStart, runs_for
from duebell.planning.noticing import in_hours, notice
from duebell.planning.planning import ask, write
from duebell.planning.volume import held_back, is_unusual
from duebell.policy.ladder import later
from duebell.policy.teams import has_somebody
from duebell.policy.verdict import Hold, Send, Skip
from duebell.policy_file.overdue import InvoiceOverduePolicy
from duebell.resources import Resources
from duebell.sending.telling import rules_of
from duebell.states import NotificationState, TenantState

S = NotificationState

CHUNK = 200
"""Invoices a transaction: no other writer waits long, and one customer's are never in two of them."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep of a tenant came to. ``unusual``: what would go out waits for a person to release it."""

    tenant_id: str
    looked_at: int
    decided: int
    unusual: bool
    runs: tuple[RunToStart, ...]


def choose(resources: Resources, tenant_ids: Sequence[str] | None) -> tuple[str, ...]:
    """The tenants that are swept now: those in their hours, or those that a person asks for.

    Raises ``ConfigurationError`` for a tenant that was never connected.
    """
    now, policy = resources.clock(), resources.policy
    if tenant_ids is not None:
        asked = [tenants.get(resources.engine, one) for one in dict.fromkeys(tenant_ids)]
        return tuple(one.tenant_id for one in asked if _is_open(one, now))
    return tuple(
        tenant.tenant_id
        for tenant in tenants.connected(resources.engine)
        if _is_open(tenant, now) and in_hours(tenant, policy.for_tenant(tenant.tenant_id), now)
    )


def _is_open(tenant: Tenant, now: datetime) -> bool:
    is_parked = tenant.parked_until is not None and tenant.parked_until > now
    return tenant.state == TenantState.CONNECTED and tenant.synced_at is not None and not is_parked


def sweep(resources: Resources, tenant_id: str, *, flow_run_id: str | None) -> Swept:
    """Plan what is due of one tenant, and decide anew on what waits; returns the runs that are to follow.

    Safe to repeat, also beside another one: each stage of an invoice has its key.
    """
    rules = rules_of(resources)
    seen = look(resources, tenant_id, rules)
    one = _Sweep(resources, tenant_id, rules, seen, flow_run_id)
    to_customers, to_teams = seen.changing(teams=False), seen.changing(teams=True)
    runs = [run for chunk in _chunks(to_customers, CHUNK) for run in one.plan(chunk, teams=False)]
    # A team's daily message is made in one transaction: what is planned apart would be told on two days.
    if has_somebody(rules.policy.for_tenant(tenant_id).team):
        chunks = list(_chunks(to_teams, MOST_REMINDED)) or [[]]
        runs += [run for chunk in chunks for run in one.plan(chunk, teams=True)]
    decided = len(to_customers) + len(to_teams)
    return Swept(tenant_id, seen.looked_at, decided, seen.unusual, tuple(runs))


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a sweep has to decide on, decided, with nothing written yet."""

    prospects: tuple[Prospect, ...]
    looked_at: int
    volume: Volume
    unusual: bool

    def changing(self, *, teams: bool) -> list[tuple[str, str]]:
        """The invoices (id, customer) for which something is to be written down, by customer.

        With them goes all that waits for the same customer, and for the teams: it may be told together.
        """
        own = [one for one in self.prospects if bool(one.subject.team) is teams]
        concerned = {_whom(one) for one in own if _changes(one)}
        found = {_invoice_id(one): _customer(one) for one in own if _whom(one) in concerned}
        return sorted(found.items(), key=lambda pair: (pair[1], pair[0]))


def look(resources: Resources, tenant_id: str, rules: Rules) -> Seen:
    """Decide on every candidate by what the ledger knows, and say whether they are unusually many.

    All are counted before any is planned: from the first that is planned on, a run may send.
    """
    engine, now = resources.engine, resources.clock()
    policy = rules.policy.for_tenant(tenant_id)
    tenant = tenants.get(engine, tenant_id)
    today = now.astimezone(ZoneInfo(tenant.timezone)).date()
    with reading(engine) as session:
        found = candidates.of_tenant(session, tenant_id, *_reach(policy.invoice_overdue, today))
        volume = volumes.volume_of(session, tenant, now, policy.limits.breaker_days)
    prospects: list[Prospect] = []
    for chunk in _chunks(found, CHUNK):
        with reading(engine) as session:
            asked = Asked(tenant_id, INVOICE_OVERDUE, chunk)
            decided = outlook(session, asked, rules, now).prospects
            prospects += [one for one in decided if one.verdict is not None]
    unusual = is_unusual(prospects, volume, policy, now, whole=True)
    held = tuple(held_back(one, volume, now, unusual=unusual) for one in prospects)
    return Seen(held, len(found), volume, unusual)


def _reach(rules: InvoiceOverduePolicy, today: date) -> tuple[date, date]:
    """The first and the last due date for which a stage may be said today."""
    if not rules.stages:
        return later(today, 1), today
    first, last = rules.stages[0], rules.stages[-1]
    late = rules.late_days if last.late_days is None else last.late_days
    return later(today, -last.days - late), later(today, -first.days)


class _Sweep:
    def __init__(
        self, resources: Resources, tenant_id: str, rules: Rules, seen: Seen, flow_run_id: str | None
    ) -> None:
        self._resources = resources
        self._tenant_id = tenant_id
        self._rules = rules
        self._seen = seen
        self._flow_run_id = flow_run_id

    def plan(self, invoice_ids: Sequence[str], *, teams: bool) -> list[RunToStart]:
        """Decide on these once more and write it down, in one transaction."""
        policy = self._rules.policy.for_tenant(self._tenant_id)
        with writing(self._resources.engine, self._resources.clock()) as book:
            planning_turns.plans(book, self._tenant_id)
            news = notice(book, self._tenant_id, self._rules, self._flow_run_id) if teams else []
            asked = Asked(self._tenant_id, INVOICE_OVERDUE, invoice_ids, gathers=teams)
            asked = ask(book, asked, self._rules)
            found = outlook(book.session, asked, self._rules, book.now)
            prospects = [
                held_back(one, self._seen.volume, book.now, unusual=self._seen.unusual)
                for one in found.prospects
                if bool(one.subject.team) is teams
            ]
            rows = write(
                book, found.known, prospects, policy, actor="overdue_sweep", flow_run_id=self._flow_run_id
            )
            found_again = {row.notification_id for row in rows}
            return runs_for(book, [*rows, *(row for row in news if row.notification_id not in found_again)])


def _chunks(found: Iterable[tuple[str, str]], most: int) -> Iterator[list[str]]:
    """The invoices in lots of about so many, a customer's always in one."""
    chunk: list[str] = []
    for _, theirs in groupby(found, key=lambda pair: pair[1]):
        ids = [invoice_id for invoice_id, _ in theirs]
        if chunk and len(chunk) + len(ids) > most:
            yield chunk
            chunk = []
        chunk += ids
    if chunk:
        yield chunk


def _changes(one: Prospect) -> bool:
    """Whether the verdict differs from what stands."""
    row = one.row
    if row is None:
        return True
    match one.verdict:
        case Send():
            return row.state != S.PLANNED
        case Hold(reason=reason, not_before=not_before):
            return (row.state, row.reason, row.not_before) != (S.HELD, reason, not_before)
        case Skip(reason=reason):
            return row.state != S.SKIPPED or row.reason.partition(":")[0] != reason
        case None:
            return False


def _whom(one: Prospect) -> str:
    return one.subject.team or _customer(one)


def _customer(one: Prospect) -> str:
    return one.known.contact_id or ""


def _invoice_id(one: Prospect) -> str:
    return one.known.read.invoice.invoice_id


def ending(swept: Sequence[Swept], failed: int) -> tuple[str, str]:
    """How a sweep is named at its end, and what it came to."""
    runs = sum(len(one.runs) for one in swept)
    unusual = [one.tenant_id for one in swept if one.unusual]
    message = f"{sum(one.looked_at for one in swept)} invoices looked at, {runs} runs started"
    if failed:
        return "Sweep failed", f"{failed} organisations failed; {message}"
    if unusual:
        return "Held for a person", f"unusually many of {', '.join(unusual)}: `duebell release`; {message}"
    return ("Swept" if swept else "Outside the hours"), message
