"""Access to one tenant's Xero: a token that lasts, limits that are waited out, and doors found closed."""

import random
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from pydantic import SecretStr
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
)

from duebell import tokens
from duebell.books.calls import (
    Purpose,
    Standing,
    after_refusal,
    are_apart,
    next_turn,
    postponed,
    require_right_clock,
    waits_until,
)
from duebell.connecting.opened import organisations
from duebell.connecting.scopes import NO_ROLE, custom_tokens
from duebell.errors import (
    DuebellError,
    Forbidden,
    RateLimited,
    RoleMissing,
    TenantDisconnected,
    TokenExpired,
    Transient,
)
from duebell.ledger import calls, tenants
from duebell.ledger.insisting import until_written
from duebell.resources import Resources
from duebell.tokens import Tokens
from duebell.xero.answers import CallMade
from duebell.xero.asking import Pace
from duebell.xero.client import XeroClient
from duebell.xero.identity import TokenAnswer

Sleep = Callable[[float], None]
"""Waits so many seconds."""

MOST_REFUSALS = 4
"""How often in a row one call may be refused before the caller's own retry takes over."""

T = TypeVar("T")


@contextmanager
def unpaced() -> Generator[None]:
    """No pace: for a single call that a person asks for, or one that Xero counts towards no tenant."""
    yield


class XeroAccess:
    """The way into one tenant, for a run or a command named ``owner`` that calls for one ``purpose``."""

    def __init__(
        self,
        resources: Resources,
        tenant_id: str,
        pace: Pace,
        owner: str,
        purpose: Purpose,
        *,
        sleep: Sleep = time.sleep,
    ) -> None:
        self.resources = resources
        self.tenant = tenants.get(resources.engine, tenant_id)
        self.sleep = sleep
        self._owner = owner
        self._purpose = purpose
        self._pace = pace
        self._refusals = 0
        self.client = XeroClient(
            resources.xero_http,
            resources.settings.xero_api_url,
            self._access_token,
            tenant_id,
            self._in_turn,
            self._note,
        )

    def ask(self, call: Callable[[], T]) -> T:
        """Call with a token that lasts, once more where Xero ended it early; a minute's limit is waited out.

        Raises what the client raises, ``TenantParked`` while the day's calls are used up and
        ``ReservedForMessages`` while its last ones are kept for other purposes; those two before anything is
        asked. What Xero forbids is ``TenantDisconnected`` where the organisation is closed to us, which is
        written down first, and ``RoleMissing`` where it is not. ``ConfigurationError`` where our clock is
        wrong by Xero's.
        """
        try:
            return self._ask(call)
        except Forbidden as refused:
            raise self._meaning_of(refused) from refused

    def _ask(self, call: Callable[[], T]) -> T:
        self.refresh()
        asked_at = self.resources.clock()
        # The next attempt waits, or finds the tenant parked, where every call of the tenant does.
        patience = Retrying(
            retry=retry_if_exception_type(RateLimited), stop=stop_after_attempt(MOST_REFUSALS), reraise=True
        )
        try:
            return patience(call)
        except TokenExpired:
            self.refresh(over=asked_at)
            return patience(call)

    def _meaning_of(self, refused: Forbidden) -> DuebellError:
        """Why Xero forbids a call: it gives the same answer for an organisation that was disconnected and for
        what the role of the user who connected it does not allow. Where nobody can say, nothing is closed.
        """
        tenant_id = self.tenant.tenant_id
        try:
            listed = organisations(self.resources, self.tenant.token_set_id, unpaced)
        except DuebellError as unheard:
            return Transient(
                f"{refused.what}; whether the organisation was disconnected is not known: {unheard}"
            )
        if any(one.tenant_id == tenant_id for one in listed):
            return RoleMissing(f"{refused.what}, though the organisation is connected: {NO_ROLE}")
        closed = TenantDisconnected(f"{refused.what}: the organisation was disconnected; connect it again")
        tenants.disconnect(self.resources.engine, tenant_id, str(closed), now=self.resources.clock())
        return closed

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
            return custom_tokens(identity, self.resources.policy)
        return identity.refresh(spent.refresh)

    def _access_token(self) -> SecretStr:
        return tokens.read(self.resources.engine, self.resources.vault, self.tenant.token_set_id).access

    @contextmanager
    def _in_turn(self) -> Generator[None]:
        """Every request of a tenant passes here, whichever run makes it: at pace, and not before its time."""
        self._stop_where_postponed()
        with self._pace():
            self._wait()
            yield

    def _wait(self) -> None:
        """Return when a request may leave: what the ledger says may change while others wait here too."""
        while True:
            standing, now = self._stop_where_postponed(), self.resources.clock()
            until = waits_until(standing, now)
            if until is not None:
                # A little apart, so that those who wait together do not all leave at once.
                apart = random.random()  # noqa: S311 - it spreads calls, it guards nothing
                self.sleep((until - now).total_seconds() + apart)
            elif next_turn(standing, now) is None or self._takes_turn(standing, now):
                return

    def _stop_where_postponed(self) -> Standing:
        tenant_id = self.tenant.tenant_id
        standing = calls.standing(self.resources.engine, tenant_id)
        why = postponed(tenant_id, standing, self._purpose, self.resources.clock())
        if why is not None:
            raise why
        return standing

    def _takes_turn(self, standing: Standing, now: datetime) -> bool:
        return calls.take_turn(self.resources.engine, self.tenant.tenant_id, standing, now=now)

    @until_written
    def _note(self, call: CallMade) -> None:
        """Count the call, however busy the ledger: it was made, and its answer must not be lost with it."""
        now = self.resources.clock()
        in_a_row = self._refusals + 1
        # A wait by a wrong clock would last long after it was set right.
        heeded = call.refused if not are_apart(call.at, now) else None
        then = after_refusal(heeded, in_a_row, now) if heeded else None
        calls.note(self.resources.engine, self.tenant.tenant_id, self._purpose, call, then, now=now)
        self._refusals = in_a_row if call.refused else 0
        require_right_clock(call.at, now)
