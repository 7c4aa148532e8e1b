"""The sweep's look for what somebody of the business should know, planned once for each team that hears."""

from datetime import timedelta

from duebell.deciding import Rules
from duebell.keys import NEEDS_ATTENTION
from duebell.ledger import candidates, untold
from duebell.ledger.tables import Notification
from duebell.ledger.writing import Writing
from duebell.planning import plan_kind
from duebell.policy_file import Policy
from duebell.teams import ways_of_team

WITHIN = timedelta(days=3)
"""How far back messages that reached nobody are looked for: further than a weekend and its holiday."""


def has_somebody(policy: Policy) -> bool:
    """Whether any team has a number or an address."""
    return any(ways_of_team(name, team) for name, team in policy.team.items())


def notice(book: Writing, tenant_id: str, rules: Rules, flow_run_id: str | None) -> list[Notification]:
    """Write down what the teams hear of beside the stages; a daily message is gathered after that."""
    policy = rules.policy.for_tenant(tenant_id)
    if not any(team.hears and ways_of_team(name, team) for name, team in policy.team.items()):
        return []
    unreached = untold.since(book.session, tenant_id, book.now - WITHIN)
    ids = dict.fromkeys([*unreached, *candidates.promised(book.session, tenant_id)])
    return plan_kind(
        book, tenant_id, NEEDS_ATTENTION, list(ids), rules, actor="overdue_sweep", flow_run_id=flow_run_id
    )
