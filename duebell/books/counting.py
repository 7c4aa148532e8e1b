"""What a tenant's calls to Xero were spent on, and how many each message cost."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine

from duebell.books.calls import Standing, day_limit, is_reserved, utc
from duebell.ledger import calls


@dataclass(frozen=True, slots=True)
class Spent:
    """The calls of one UTC day. ``purposes`` are (purpose, calls), the dearest first."""

    tenant_id: str
    calls: int
    refused: int
    messages: int
    purposes: tuple[tuple[str, int], ...]
    lines: tuple[tuple[str, str, int, int], ...]
    """Endpoint, purpose, calls, and how many of those Xero refused."""
    standing: Standing
    now: datetime

    def table(self) -> list[dict[str, str | int]]:
        """One line an endpoint and purpose, for the UI."""
        names = ("endpoint", "purpose", "calls", "refused")
        return [{"tenant": self.tenant_id, **dict(zip(names, line, strict=True))} for line in self.lines]

    def sentence(self) -> str:
        """All of it in a line, without a name."""
        by_purpose = ", ".join(f"{calls} {purpose}" for purpose, calls in self.purposes) or "none"
        per_message = f", {self.calls / self.messages:.2f} a message" if self.messages else ""
        refused = f", {self.refused} refused" if self.refused else ""
        return (
            f"{self.calls} calls today ({by_purpose}{refused}) for {self.messages} messages{per_message}; "
            f"{self.left()}"
        )

    def left(self) -> str:
        """What Xero says is left, when it said so, and what follows from it."""
        standing, parked = self.standing, self.standing.parked_until
        if parked is not None and parked > self.now:
            return f"none are left: parked until {utc(parked)}"
        if standing.day_remaining is None or standing.limits_at is None:
            return "Xero has not said how many are left"
        told = (
            f"{standing.day_remaining} left of the day when Xero last said so, at {utc(standing.limits_at)}"
        )
        limit = day_limit(max(standing.day_remaining, standing.day_began_with or 0))
        reserved = ", kept for what leads to a message" if is_reserved(standing, self.now) else ""
        return f"{told} (its limit seems to be {limit}){reserved}"


def spent_today(engine: Engine, tenant_id: str, *, now: datetime) -> Spent:
    """The calls of the present UTC day."""
    rows = calls.of_day(engine, tenant_id, f"{now.astimezone(UTC):%Y-%m-%d}")
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    purposes = Counter[str]()
    for row in rows:
        purposes[row.purpose] += row.calls
    return Spent(
        tenant_id=tenant_id,
        calls=sum(row.calls for row in rows),
        refused=sum(row.refused for row in rows),
        messages=calls.messages_since(engine, tenant_id, midnight),
        purposes=tuple(purposes.most_common()),
        lines=tuple((row.endpoint, row.purpose, row.calls, row.refused) for row in rows),
        standing=calls.standing(engine, tenant_id),
        now=now,
    )
