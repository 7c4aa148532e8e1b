"""The doctor's look at the ledger itself."""

from datetime import timedelta

from deployments.findings import Finding
from duebell.database_url import without_secrets
from duebell.ledger import invariants, trail
from duebell.resources import Resources


def look(resources: Resources) -> list[Finding]:
    """Where it is, whether its trail and its messages are whole, and whether its writers wait."""
    broken = trail.first_break_in(resources.engine)
    whole = "whole" if broken is None else f"changed at entry {broken}: restore the ledger from a backup"
    return [
        Finding("ledger", without_secrets(resources.engine.url)),
        Finding("audit trail", whole, sound=broken is None),
        _invariants(resources),
        *_stalls(resources),
    ]


def _invariants(resources: Resources) -> Finding:
    found = invariants.broken_messages(resources.engine)
    if not found:
        return Finding("messages in the ledger", "all that must hold of them holds")
    mend = "`duebell stop` until somebody has seen what changed these rows, then restore or mend them"
    said = f"{'; '.join(invariants.told(found))}: {mend}"
    return Finding("messages in the ledger", said, sound=False)


STALLS_A_DAY = 20
"""Above so many a firm has outgrown SQLite."""

HOW = "`duebell move-ledger`; README, Growing"


def _stalls(resources: Resources) -> list[Finding]:
    """Whether writers waited for each other for long, which is what SQLite's one writer comes to."""
    if resources.engine.dialect.name != "sqlite":
        return []
    stalls = trail.stalls(resources.engine, resources.clock() - timedelta(days=1))
    if not stalls.times:
        return [Finding("writers", "none waited for long in the last day")]
    said = f"waited for long {stalls.times} times in the last day, the longest {stalls.longest:.0f} s"
    if stalls.times <= STALLS_A_DAY:
        return [Finding("writers", f"{said}; where that grows, move to PostgreSQL ({HOW})")]
    mend = f"SQLite is too small by now: move to PostgreSQL ({HOW})"
    return [Finding("writers", f"{said}: {mend}", sound=False)]
