"""A backtest: one tenant's past, and the policies that are played over it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from duebell.backtest.credit import credits_over_time
from duebell.backtest.histories import histories, months_before
from duebell.backtest.playing import Play, Played
from duebell.backtest.said import Words
from duebell.backtest.tally import Tally, tally
from duebell.ledger.engine import reading
from duebell.ledger.tables import Tenant
from duebell.model import CreditKind
from duebell.policy_file.overdue import CreditHolds
from duebell.policy_file.policy import Policy
from duebell.resources import Resources
from duebell.sending.telling import rules_of
from duebell.states import Sending


@dataclass(frozen=True, slots=True)
class Backtest:
    """What each policy, by its name, comes to from a day to a day, both counted in.

    ``unread`` are the invoices that are left out, because their customers were never read from Xero.
    ``stages`` are the names of the policies' stages in the order of their days. ``unread_credit`` are the
    lists of credit that a policy looks at and that were never read.
    """

    tenant: Tenant
    first: date
    last: date
    invoices: int
    unread: int
    tallies: Mapping[str, Tally]
    stages: tuple[str, ...] = ()
    unread_credit: tuple[CreditKind, ...] = ()


def backtest(
    resources: Resources, tenant: Tenant, policies: Mapping[str, Policy], months: int, price: Decimal
) -> Backtest:
    """Play each policy over the months before today. Reads the ledger alone."""
    now = resources.clock()
    zone = ZoneInfo(tenant.timezone)
    start, end = months_before(now, months, tenant.timezone), months_before(now, 0, tenant.timezone)
    first, last = start.astimezone(zone).date(), end.astimezone(zone).date() - timedelta(days=1)
    with reading(resources.engine) as session:
        everything, credits = histories(session, tenant), credits_over_time(session, tenant.tenant_id)
    past = [one for one in everything if one.known.contact or not one.afterwards.contact_id]
    rules = replace(rules_of(resources), ceiling=Sending.LIVE)
    tallies: dict[str, Tally] = {}
    for name, policy in policies.items():
        words = Words(resources.templates)
        play = Play(past, replace(rules, policy=policy), words, credits) if past else None
        played = play.through(start, end) if play else Played((), {})
        limits = policy.for_tenant(tenant.tenant_id).limits
        tallies[name] = tally(played, first, last, price, limits)
    unread = len(everything) - len(past)
    looked_at = any(_holds(policy.for_tenant(tenant.tenant_id)) for policy in policies.values())
    unread_credit = credits.unread if looked_at else ()
    return Backtest(tenant, first, last, len(past), unread, tallies, _stages(tenant, policies), unread_credit)


def _holds(policy: Policy) -> bool:
    """Whether credit holds a reminder by it."""
    rules = policy.invoice_overdue
    return rules.enabled and rules.credit is not CreditHolds.IGNORE


def _stages(tenant: Tenant, policies: Mapping[str, Policy]) -> tuple[str, ...]:
    own = [one.for_tenant(tenant.tenant_id).invoice_overdue for one in policies.values()]
    stages = sorted((stage for one in own for stage in one.stages), key=lambda stage: stage.days)
    return tuple(dict.fromkeys(stage.name for stage in stages))
