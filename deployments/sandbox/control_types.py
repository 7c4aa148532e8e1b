"""What the sandbox tells of itself: frozen records, the same on both ends of its control surface."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, slots=True)
class AcceptedMessage:
    """A message that the sandbox answered, or would have answered, with 201. The tests' only oracle.

    ``body`` is what was accepted, also after a redaction; ``from_`` is ``None`` until a sender was chosen.
    """

    sid: str
    to: str
    body: str
    status_callback: str | None
    accepted_at: datetime
    status: str
    from_: str | None
    messaging_service_sid: str | None
    send_at: datetime | None
    validity_seconds: int
    error_code: int | None


@dataclass(frozen=True, slots=True)
class CallbackPost:
    """One POST of a status callback and what came of it; ``ms`` is how long the answer took."""

    sid: str
    message_status: str
    url: str
    status: int | None
    error: str
    body_length: int
    ms: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST of a webhook: its exact body, and the answer's status, length, cookies and milliseconds."""

    number: int
    kind: str
    body: str
    signature: str
    events: int
    status: int | None
    error: str
    body_length: int
    cookies: int
    ms: float


@dataclass(frozen=True, slots=True)
class Probe:
    """The outcome of an intent to receive: what Xero's portal would say, and the deliveries it rests on."""

    passed: bool
    problem: str
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One event as Xero writes it. ``date`` is ISO UTC with milliseconds and without a zone.

    ``data`` is what the newer categories tell of the record; invoices and contacts tell nothing.
    """

    tenant_id: str
    category: str
    type: str
    resource_id: str
    date: str
    data: dict[str, str] = field(default_factory=dict[str, str], hash=False)


@dataclass(frozen=True, slots=True)
class Disorder:
    """What happens to events on their way; ``lost`` and ``twice`` are shares from 0 to 1.

    Chance follows ``seed`` alone. Lost are only events whose category and resource id match the globs; what
    waits together goes out ``shuffled`` where that is set, at most ``batch`` events in one POST.
    """

    seed: int = 0
    lost: float = 0.0
    twice: float = 0.0
    shuffled: bool = False
    batch: int = 100
    category: str = "*"
    resource_id: str = "*"


SubscriptionState = Literal["OK", "RETRY", "DISABLED"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """How Xero's portal shows the webhook, and how many deliveries wait for it to be healthy again."""

    state: SubscriptionState
    held: int
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class PaymentSummary:
    """A payment of an invoice, in its currency."""

    payment_id: str
    amount: Decimal
    paid_on: date
    reference: str = ""


@dataclass(frozen=True, slots=True)
class InvoiceSummary:
    """An invoice as the accountant sees it."""

    invoice_id: str
    number: str
    type: str
    status: str
    contact_id: str
    reference: str
    currency: str
    issued_on: date | None
    due_on: date | None
    total: Decimal
    amount_due: Decimal
    amount_paid: Decimal
    payments: tuple[PaymentSummary, ...]
    updated_at: datetime
    amount_credited: Decimal = Decimal(0)
    expected_on: date | None = None
    sent: bool = False


@dataclass(frozen=True, slots=True)
class ContactSummary:
    """A contact as the accountant sees it; each phone is (type, country code, area code, number)."""

    contact_id: str
    name: str
    status: str
    email: str
    phones: tuple[tuple[str, str, str, str], ...]
    merged_into: str = ""
    number: str = ""
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request that reached a provider; ``status`` is ``None`` where no answer was given."""

    method: str
    path: str
    query: str
    status: int | None
    tenant_id: str


FaultKind = Literal["status", "html", "truncate", "delay", "drop_before", "drop_after"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with the next ``times`` requests of ``method`` whose path matches the glob ``path``.

    ``status`` and ``html`` answer in the provider's place, after it did its work where ``process`` says so.
    ``truncate`` answers half of the true body. ``delay`` waits ``seconds`` and then goes on. ``drop_before``
    closes the connection before anything is processed, ``drop_after`` once everything is. ``seconds`` may be
    given with any kind; the first ``skip`` matches pass unharmed.
    """

    kind: FaultKind
    method: str = "*"
    path: str = "*"
    times: int = 1
    skip: int = 0
    status: int = 502
    body: str = ""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0
    process: bool = False


@dataclass(frozen=True, slots=True)
class HeldConsent:
    """What the account holds of a number's consent to one sender; ``source`` is as it was told.

    ``word``: the person said STOP or START to this very sender.
    """

    contact_id: str
    sender_id: str
    status: str
    source: str
    date_of_consent: str = ""


LifeKind = Literal["delivered", "undelivered", "failed", "sent", "stuck", "mute", "unordered", "repeated"]


@dataclass(frozen=True, slots=True)
class Life:
    """What becomes of messages whose ``To`` matches the glob ``to``.

    ``sent``: no carrier ever answers. ``stuck``: nothing happens after the first status. The others end
    delivered: ``mute`` without any callback, ``unordered`` with the callbacks last to first, ``repeated``
    with every callback twice.
    """

    kind: LifeKind
    to: str = "*"
    error_code: int | None = None
