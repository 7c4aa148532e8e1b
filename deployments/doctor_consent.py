"""What doctor says of the consents: whether each still opens what Duebell reads, and how long it lasts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from deployments.findings import Finding
from duebell.connecting.consent import DIES_AFTER, IDLE
from duebell.ledger import consents
from duebell.ledger.tables import Tenant, TokenSet
from duebell.ledger.token_sets import VALID
from duebell.resources import Resources
from duebell.states import TenantState
from duebell.xero.identity import CONSENT_SCOPES, SCOPES

LATE = IDLE + timedelta(days=7)
"""Older than this, nothing refreshes the set: `duebell up` does it once a week."""


def look(resources: Resources) -> list[Finding]:
    """Every token set that a tenant rests on, and every tenant that is closed to us. Asks nobody."""
    resting: dict[str, list[Tenant]] = {}
    sets: dict[str, TokenSet] = {}
    for token_set, tenant in consents.standing(resources.engine):
        sets[token_set.token_set_id] = token_set
        resting.setdefault(token_set.token_set_id, []).append(tenant)
    now = resources.clock()
    found = [judge(sets[key], [one.name for one in tenants], now) for key, tenants in resting.items()]
    closed = [
        one.name for tenants in resting.values() for one in tenants if one.state == TenantState.DISCONNECTED
    ]
    return found + [
        Finding("Xero", f"{name} is closed to Duebell: run `duebell connect`", sound=False) for name in closed
    ]


def judge(token_set: TokenSet, names: Sequence[str], now: datetime) -> Finding:
    """What there is to say of one token set."""
    what = f"consent for {', '.join(names)}"
    if token_set.state != VALID:
        return Finding(what, "was refused by Xero: run `duebell connect`", sound=False)
    lacking = missing_scopes(token_set.grant, token_set.scopes)
    if lacking:
        return Finding(what, f"lacks {', '.join(lacking)}: run `duebell connect`", sound=False)
    if token_set.grant != consents.GRANT:
        return Finding(what, "is a custom connection, which does not run out")
    idle = now - token_set.refreshed_at
    left = DIES_AFTER.days - idle.days
    said = f"was last refreshed {f'{_days(idle.days)} ago' if idle.days else 'today'}"
    if left <= 0:
        return Finding(what, f"{said}, and Xero ends it after 60: run `duebell connect`", sound=False)
    if idle > LATE:
        mend = f"{said} and ends in {_days(left)}: `duebell up` refreshes it once a week, is it running?"
        return Finding(what, mend, sound=False)
    return Finding(what, f"{said}; unused, it would end in {_days(left)}")


def missing_scopes(grant: str, granted: str) -> list[str]:
    """What Duebell asks for and the consent does not allow; nothing where Xero never told what it allows.

    A scope that may write may also read.
    """
    given, wanted = set(granted.split()), CONSENT_SCOPES if grant == consents.GRANT else SCOPES
    return [scope for scope in wanted if given and not {scope, scope.removesuffix(".read")} & given]


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"
