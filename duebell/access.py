"""Access to one tenant's Xero: a token that lasts, limits that are waited out, and doors found closed."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import SecretStr
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from duebell import tokens
from duebell.errors import RateLimited, TenantDisconnected, TokenExpired
from duebell.ledger import tenants
from duebell.resources import Resources
from duebell.tokens import Tokens
from duebell.xero.answers import Limits
from duebell.xero.client import Pace, XeroClient
from duebell.xero.identity import SCOPES, TokenAnswer

DAY_PARK = timedelta(hours=1)
"""How long a tenant is left alone where Xero does not say when its day begins anew."""

LONGEST_MINUTE = 65.0
"""Seconds that a minute's limit may take to pass; a longer wait is for the caller's own retry."""

T = TypeVar("T")


@contextmanager
def unpaced() -> Generator[None]:
    """No pace: for a single call that a person asks for, or one that Xero counts towards no tenant."""
    yield


class XeroAccess:
    """The way into one tenant, for a run or a command named ``owner``."""

    def __init__(self, resources: Resources, tenant_id: str, pace: Pace, owner: str) -> None:
        self.resources = resources
        self.tenant = tenants.get(resources.engine, tenant_id)
        self._owner = owner
        self.client = XeroClient(
            resources.xero_http,
            resources.settings.xero_api_url,
            self._access_token,
            tenant_id,
            pace,
            self._note_limits,
        )

    def ask(self, call: Callable[[], T]) -> T:
        """Call with a token that lasts, once more where Xero ended it early; a minute's limit is waited out.

        Raises what the client raises. A closed organisation is marked disconnected, and one whose daily calls
        are used up is parked, before the error goes on.
        """
        self.refresh()
        asked_at = self.resources.clock()
        patience = Retrying(
            retry=retry_if_exception(_waits), wait=_as_told, stop=stop_after_attempt(4), reraise=True
        )
        try:
            return patience(call)
        except TokenExpired:
            self.refresh(over=asked_at)
            return patience(call)
        except TenantDisconnected as closed:
            now = self.resources.clock()
            tenants.disconnect(self.resources.engine, self.tenant.tenant_id, str(closed), now=now)
            raise
        except RateLimited as limit:
            if limit.problem == "day":
                self._park(limit)
            raise

    def refresh(self, *, over: datetime | None = None) -> datetime:
        """Leave the tenant's token set valid for a while; returns when it expires.

        ``over``: Xero ended a token that was read at that time or later. Whoever was told so first refreshes,
        and the others find a newer one.
        """
        return tokens.ensure_fresh(
            self.resources.engine,
            self.resources.vault,
            self.tenant.token_set_id,
            self._new_tokens,
            owner=self._owner,
            clock=self.resources.clock,
            force=over,
        )

    def _new_tokens(self, spent: Tokens) -> TokenAnswer:
        identity = self.resources.identity()
        if spent.refresh is None:
            return identity.client_credentials(SCOPES)
        return identity.refresh(spent.refresh)

    def _access_token(self) -> SecretStr:
        return tokens.read(self.resources.engine, self.resources.vault, self.tenant.token_set_id).access

    def _note_limits(self, limits: Limits) -> None:
        tenants.note_limits(
            self.resources.engine,
            self.tenant.tenant_id,
            limits.minute_remaining,
            limits.day_remaining,
            now=self.resources.clock(),
        )

    def _park(self, limit: RateLimited) -> None:
        now = self.resources.clock()
        wait = timedelta(seconds=limit.retry_after) if limit.retry_after else DAY_PARK
        tenants.park(self.resources.engine, self.tenant.tenant_id, now + wait, str(limit), now=now)


def _waits(error: BaseException) -> bool:
    return (
        isinstance(error, RateLimited)
        and error.problem in {"minute", "concurrent", "appminute"}
        and (error.retry_after or 0) <= LONGEST_MINUTE
    )


def _as_told(state: RetryCallState) -> float:
    """Seconds to wait: Xero's own word, or a little longer each time where it said nothing."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, RateLimited) else None
    return (asked or 2.0 * state.attempt_number) + 0.25 * state.attempt_number
