"""What the accountant's verbs share: whose books, what time it is, and whom to tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from deployments.sandbox.books import BookkeepingError, Books, Change
from deployments.sandbox.company import HOME_ZONE
from deployments.sandbox.parts import Parts


@dataclass
class TenantVerbs:
    """Each verb changes one tenant's books, rings about it, and answers the record as it is then."""

    parts: Parts

    @property
    def now(self) -> datetime:
        """The sandbox's present."""
        return self.parts.conditions.now()

    @property
    def today(self) -> date:
        """The present day of the company."""
        return self.now.astimezone(HOME_ZONE).date()

    def books(self, tenant_id: str) -> Books:
        """The books of a tenant. Raises ``BookkeepingError`` where there is none."""
        if tenant_id not in self.parts.tenants:
            raise BookkeepingError(f"no tenant {tenant_id}")
        return self.parts.tenants[tenant_id]

    def ring(self, changes: Sequence[Change]) -> None:
        """Ring about what was changed."""
        self.parts.changed(changes)
