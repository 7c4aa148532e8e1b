"""The sweep's look for what somebody of the business should know, planned once for each team that hears."""

from datetime import datetime, timedelta

from duebell.deciding.deciding import Rules
from duebell.hours.working_days import Place, next_open_instant
from duebell.keys import NEEDS_ATTENTION
from duebell.ledger import candidates, untold
from duebell.ledger.tables import Notification, Tenant
from duebell.ledger.writing import Writing
from duebell.planning.planning import plan_kind
from duebell.policy.teams import ways_of_team
from duebell.policy_file.policy import Policy
from duebell.policy_file.sections import WindowPolicy

DAY = timedelta(days=1)

WITHIN, FURTHEST = 3, 60
"""How many days back messages that reached nobody are looked for, and past holidays at most."""


def in_hours(tenant: Tenant, policy: Policy, now: datetime) -> bool:
    """Whether a sweep comes at this time, by the organisation's clock: in the hours of reminders, or in those
    of a team, for which news is gathered then whether customers are reminded or not.
    """
    return _opens_at(tenant, policy, now) <= now


def _opens_at(tenant: Tenant, policy: Policy, moment: datetime) -> datetime:
    rules, place = policy.invoice_overdue, Place((tenant.timezone,), tenant.country)
    windows: list[WindowPolicy] = [rules] if rules.enabled else []
    windows += [team for name, team in policy.team.items() if ways_of_team(name, team)]
    opening = (next_open_instant(moment, one, place) for one in windows)
    return min(opening, default=moment + FURTHEST * DAY)


def _look_from(tenant: Tenant, policy: Policy, now: datetime) -> datetime:
    """From when on messages that reached nobody are looked for: from a day on which a sweep came.

    Over a weekend and its holidays none comes, but messages go out, and may come back.
    """
    days = (now - back * DAY for back in range(WITHIN, FURTHEST))
    return next((day for day in days if _opens_at(tenant, policy, day) < day + DAY), now - FURTHEST * DAY)


def notice(book: Writing, tenant_id: str, rules: Rules, flow_run_id: str | None) -> list[Notification]:
    """Write down what the teams hear of beside the stages; a daily message is gathered after that."""
    policy = rules.policy.for_tenant(tenant_id)
    if not any(team.hears and ways_of_team(name, team) for name, team in policy.team.items()):
        return []
    tenant = book.session.get_one(Tenant, tenant_id)
    unreached = untold.since(book.session, tenant_id, _look_from(tenant, policy, book.now))
    ids = dict.fromkeys([*unreached, *candidates.promised(book.session, tenant_id)])
    return plan_kind(
        book, tenant_id, NEEDS_ATTENTION, list(ids), rules, actor="overdue_sweep", flow_run_id=flow_run_id
    )
