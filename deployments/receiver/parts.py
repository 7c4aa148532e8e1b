"""What a receiver is made of; passed in, so that two can stand in one process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Engine

from deployments.receiver.prefect_rest import PrefectPlace
from duebell.clock import Clock
from duebell.settings import Settings


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the receiver waits for what.

    ``body_seconds`` is for a whole request body; ``answer_seconds`` for the ledger, because Xero counts an
    answer after five seconds as none (developer.xero.com/documentation/guides/webhooks/overview).
    ``drain_after`` is how long an event waits for the run that its nudge should have made; ``first_look`` is
    when a send of unknown outcome is first looked for.
    """

    body_seconds: float = 2.0
    answer_seconds: float = 4.0
    net_seconds: float = 1.0
    drain_after: timedelta = timedelta(seconds=5)
    first_look: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ReceiverParts:
    """One receiver. The engine's schema is migrated already, and its writers wait about three seconds."""

    settings: Settings
    engine: Engine
    clock: Clock
    prefect: PrefectPlace
    patience: Patience = field(default_factory=Patience)
    tells: Callable[[], frozenset[str]] = frozenset
    """Whom the policy, as it stands now, lets hear what people want."""
    senders: Callable[[], frozenset[str]] = frozenset
    """The senders that the policy, as it stands now, has messages come from."""
