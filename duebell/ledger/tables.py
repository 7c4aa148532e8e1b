"""The tables of the ledger. Ids are Xero's or Twilio's own words; times are aware UTC.

Personal data stands here and nowhere else: in the snapshots' bodies, in a leg's address and text, and in
what providers answered.
"""

import re
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.orm import declared_attr
from sqlmodel import Field, SQLModel

from duebell.ledger.columns import UtcDateTime
from duebell.states import EventState, TenantState


def moment(*, index: bool = False) -> Any:
    """A column for an instant that is always there."""
    return Field(sa_type=UtcDateTime, nullable=False, index=index)


def maybe_moment(*, index: bool = False) -> Any:
    """A column for an instant that may not have come."""
    return Field(default=None, sa_type=UtcDateTime, nullable=True, index=index)


def long_text(default: str | None = "") -> Any:
    """A text of any length."""
    return Field(default=default, sa_column=Column(Text, nullable=default is None))


def later_text() -> Any:
    """A text column that came after its table's first rows: those have it empty."""
    return Field(default="", sa_type=Text, sa_column_kwargs={"server_default": text("''")})


class Row(SQLModel):
    """A table named after its class: ``XeroEvent`` is ``xero_event``, ``InvoiceSnapshot`` is ``invoice``."""

    @declared_attr.directive
    def __tablename__(cls) -> str:  # noqa: N805  # pyright: ignore[reportIncompatibleVariableOverride]  # a declared attribute gets the class
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__.removesuffix("Snapshot")).lower()


class TokenSet(Row, table=True):
    """The tokens of one consent, encrypted, shared by every tenant that the consent opened."""

    token_set_id: str = Field(primary_key=True)
    grant: str
    sealed: str = long_text()
    state: str = "valid"
    scopes: str = later_text()
    """What Xero granted, separated by blanks."""
    consented_at: datetime | None = maybe_moment()
    expires_at: datetime = moment()
    refreshed_at: datetime = moment()
    version: int = 0
    lease_owner: str | None = None
    lease_until: datetime | None = maybe_moment()


class Consent(Row, table=True):
    """A consent that a person was asked for in the browser, from the question to the answer.

    ``state_hash`` is the SHA-256 of the ``state`` that Xero gives back; ``sealed`` holds the PKCE verifier
    and, once the browser came back, the code.
    """

    state_hash: str = Field(primary_key=True)
    sealed: str = long_text()
    redirect_uri: str
    asked_at: datetime = moment()
    expires_at: datetime = moment()
    answered_at: datetime | None = maybe_moment()
    refused_why: str = ""
    """Xero's own word where the person or Xero said no, such as ``access_denied``."""
    used_at: datetime | None = maybe_moment()


class Tenant(Row, table=True):
    """One Xero organisation, how it is connected, and whether it may send."""

    tenant_id: str = Field(primary_key=True)
    connection_id: str = ""
    token_set_id: str = Field(foreign_key="token_set.token_set_id")
    name: str = ""
    legal_name: str = ""
    short_code: str = ""
    base_currency: str = ""
    country: str = ""
    timezone: str = "UTC"
    state: str = TenantState.CONNECTED.value
    sending: str = "review"
    connected_at: datetime = moment()
    watched_from: datetime | None = maybe_moment()
    """Xero's own time when the first sync began: what was updated later is news."""
    synced_at: datetime | None = maybe_moment()
    organisation_read_at: datetime | None = maybe_moment()
    xero_reminders: bool | None = None
    """Whether Xero's own invoice reminders are on, as last read; empty where Xero did not say."""
    branding_themes: str | None = long_text(None)
    """The names of the branding themes by their ids, in JSON; empty before they were read."""
    invoices_cursor: datetime | None = maybe_moment()
    payments_cursor: datetime | None = maybe_moment()
    contacts_cursor: datetime | None = maybe_moment()
    """Up to where polling has read each list, by the server's own times; empty before the first poll."""
    polled_at: datetime | None = maybe_moment()
    open_read_at: datetime | None = maybe_moment()
    """When every open invoice was last read anew, for the edits that Xero's filter cannot see."""
    webhook_at: datetime | None = maybe_moment()
    """When a webhook last brought something of this tenant."""
    webhooks_suspect_at: datetime | None = maybe_moment()
    """Since when webhooks look broken; empty while they look sound."""
    parked_until: datetime | None = maybe_moment()
    parked_why: str = later_text()
    minute_remaining: int | None = None
    day_remaining: int | None = None
    limits_at: datetime | None = maybe_moment()
    """When Xero last said what is left of its limits."""
    day_began_with: int | None = None
    """The most that Xero said was left since its present day began: what the day's limit is told from."""
    paused_until: datetime | None = maybe_moment()
    """Until when a minute's limit stops every call of the tenant."""
    reading_by: str | None = None
    reading_until: datetime | None = maybe_moment()
    """Who reads what several runs wait for; empty while nobody does."""
    drain_owner: str | None = None
    drain_token: int = 0
    drain_until: datetime | None = maybe_moment()


class XeroEvent(Row, table=True):
    """The inbox. ``mark`` is Xero's event time, or the content hash of a read that found the change."""

    __table_args__ = (
        UniqueConstraint("tenant_id", "category", "resource_id", "type", "mark", name="uq_xero_event"),
        Index("ix_xero_event_waiting", "tenant_id", "retry_at", sqlite_where=text("state = 'pending'"),
              postgresql_where=text("state = 'pending'")),
        # Not by the tenant first: it would be taken instead of the one above for what waits of a tenant.
        Index("ix_xero_event_resource", "resource_id", "tenant_id"),
    )  # fmt: skip

    event_id: int | None = Field(default=None, primary_key=True)
    tenant_id: str
    category: str
    resource_id: str
    type: str
    mark: str
    event_time: datetime | None = maybe_moment()
    found_by: str = "webhook"
    received_at: datetime = moment()
    state: str = EventState.PENDING.value
    outcome: str = ""
    attempts: int = 0
    retry_at: datetime = moment()
    claim_token: int = 0
    handled_at: datetime | None = maybe_moment()
    flow_run_id: str | None = Field(default=None, index=True)


class SequenceGap(Row, table=True):
    """Xero's numbers of webhook events that never came, or came late: a hint that webhooks are lost."""

    first_missing: int = Field(primary_key=True)
    last_missing: int
    noticed_at: datetime = moment()
    closed_at: datetime | None = maybe_moment()


class WebhookSequence(Row, table=True):
    """The highest number of a webhook event that came, one row a webhook."""

    name: str = Field(primary_key=True)
    highest: int
    seen_at: datetime = moment()


class XeroCall(Row, table=True):
    """How many calls a tenant cost on one UTC day, by endpoint and by what they were for."""

    tenant_id: str = Field(primary_key=True)
    day: str = Field(primary_key=True)
    endpoint: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    calls: int = 0
    refused: int = 0


class RejectedDelivery(Row, table=True):
    """A signed body, or a part of one, that could not be read; kept raw so that nothing is lost."""

    sha256: str = Field(primary_key=True)
    received_at: datetime = moment()
    reason: str
    raw: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


def version_number() -> Any:
    """A column that counts how often a record was read as another than before, from 1."""
    return Field(default=1, sa_column_kwargs={"server_default": text("1")})


class InvoiceSnapshot(Row, table=True):
    """An invoice as last read, beside the state that its last comparison was made with."""

    tenant_id: str = Field(primary_key=True)
    invoice_id: str = Field(primary_key=True)
    contact_id: str | None = Field(default=None, index=True)
    type: str = ""
    status: str = Field(default="", index=True)
    number: str = ""
    currency: str = ""
    due_on: str | None = None
    updated_at: datetime | None = maybe_moment()
    read_at: datetime = moment()
    body: str = long_text()
    compared_body: str | None = long_text(None)
    """The body that changes were last derived from; empty until the first comparison."""
    known_before_connecting: bool = False
    version: int = version_number()
    first_read_at: datetime | None = maybe_moment()
    """When this version was first read; empty where versions were not counted yet."""
    online_link: str = later_text()
    """Where Xero shows it to whoever knows this address, for ever; empty while it was not asked for."""


class PaymentSnapshot(Row, table=True):
    """A payment as an invoice last listed it.

    ``subject_id`` is what its notification is keyed by: its own id, or that of the payment which was removed
    and which this one, of the same invoice, amount and date, replaces. ``amount`` is a decimal number in the
    invoice's currency.
    """

    __table_args__ = (Index("ix_payment_invoice", "tenant_id", "invoice_id"),)

    tenant_id: str = Field(primary_key=True)
    payment_id: str = Field(primary_key=True)
    invoice_id: str
    subject_id: str = Field(index=True)
    amount: str
    paid_on: str | None = None
    first_seen_at: datetime = moment()
    gone_at: datetime | None = maybe_moment()
    """When it was first missing from its invoice; empty while it is there."""
    known_before_connecting: bool = False


class ContactSnapshot(Row, table=True):
    """A contact as last read."""

    __table_args__ = (
        Index("ix_contact_merged_to", "tenant_id", "merged_to", sqlite_where=text("merged_to is not null"),
              postgresql_where=text("merged_to is not null")),
    )  # fmt: skip

    tenant_id: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    status: str = ""
    merged_to: str | None = None
    updated_at: datetime | None = maybe_moment()
    read_at: datetime = moment()
    body: str = long_text()
    version: int = version_number()
    first_read_at: datetime | None = maybe_moment()


class EarlierVersion(Row, table=True):
    """A record as it was before another read took its place. ``category`` is Xero's word, as in the inbox."""

    tenant_id: str = Field(primary_key=True)
    category: str = Field(primary_key=True)
    record_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    body: str = long_text()
    first_read_at: datetime | None = maybe_moment()
    replaced_at: datetime = moment(index=True)


class CreditSnapshot(Row, table=True):
    """A customer's credit note, prepayment or overpayment as last read.

    ``remaining`` is a decimal number in its currency: what is not allocated to an invoice.
    """

    tenant_id: str = Field(primary_key=True)
    credit_id: str = Field(primary_key=True)
    kind: str
    contact_id: str | None = Field(default=None, index=True)
    currency: str = ""
    remaining: str = "0"
    updated_at: datetime | None = maybe_moment()
    read_at: datetime = moment()
    version: int = version_number()
    first_read_at: datetime | None = maybe_moment()
    """When this version was first read; empty where versions were not counted yet."""


class CreditReading(Row, table=True):
    """How far one of a tenant's lists of credits was read."""

    tenant_id: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    cursor: datetime = moment()
    """By the server's own times."""
    read_at: datetime = moment()
    """By our clock, when the reading began: what the snapshots say held then."""


class Notification(Row, table=True):
    """What one person is owed once. ``key`` is the dedup key and is claimed by inserting it."""

    __table_args__ = (
        Index("ix_notification_dispatch", "dispatch_at", sqlite_where=text("state in ('planned', 'held')"),
              postgresql_where=text("state in ('planned', 'held')")),
        Index("ix_notification_lease", "lease_until", sqlite_where=text("lease_until is not null"),
              postgresql_where=text("lease_until is not null")),
        Index("ix_notification_lead_id", "lead_id", sqlite_where=text("lead_id is not null"),
              postgresql_where=text("lead_id is not null")),
        Index("ix_notification_recipient", "tenant_id", "recipient",
              sqlite_where=text("state in ('planned', 'held')"),
              postgresql_where=text("state in ('planned', 'held')")),
        # Each begins with the tenant: SQLite takes an index over the tenant alone for as good as any.
        Index("ix_notification_subject", "tenant_id", "subject_id"),
        Index("ix_notification_invoice", "tenant_id", "invoice_id"),
        Index("ix_notification_contact", "tenant_id", "contact_id"),
    )  # fmt: skip

    notification_id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    tenant_id: str
    kind: str
    subject_id: str
    invoice_id: str = Field(default="", sa_column_kwargs={"server_default": text("''")})
    """The invoice that it is about; the subject itself, except for a payment's."""
    step: str = later_text()
    recipient: str = later_text()
    """The key's last part: ``contact:<id>`` or ``team:<name>``."""
    leg_position: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    """The leg by which it is told now."""
    lead_id: int | None = None
    """The notification in whose message this one is told too; it follows that one's state."""
    contact_id: str | None = None
    state: str
    reason: str = ""
    generation: int = 0
    forced_by: str | None = None
    forced_why: str | None = None
    planned_at: datetime = moment()
    not_before: datetime | None = maybe_moment()
    """The earliest time at which it may be said; empty while a person or a go-live must come first."""
    dispatch_at: datetime | None = maybe_moment()
    """When a run is to be created for it, if none has come by itself; empty for never."""
    dispatches: int = 0
    lease_owner: str | None = None
    lease_token: int = 0
    lease_until: datetime | None = maybe_moment()
    updated_at: datetime = moment()
    flow_run_id: str | None = None


class Leg(Row, table=True):
    """One channel of a notification, in the order fixed when it was planned."""

    __table_args__ = (UniqueConstraint("notification_id", "position", name="uq_leg_position"),)

    leg_id: int | None = Field(default=None, primary_key=True)
    notification_id: int = Field(foreign_key="notification.notification_id")
    position: int = 0
    channel: str
    address: str
    text: str = long_text()
    email_subject: str = later_text()
    html: str = later_text()
    rendered_from: str = ""
    """The hash of the snapshot that the text was made from."""
    sender: str = later_text()
    """Who it is told by, as the policy names it; empty for the installation's own sender."""
    takes_over: str = later_text()
    """When it follows a leg that failed: ``at_once``, ``next_day`` or ``never``."""
    over: str = later_text()
    """Why this leg failed and the next one took over; empty while it did not."""


HAS_LOOKS = text("settle_at is not null")


class Attempt(Row, table=True):
    """One call to the provider, committed before the call. Its id travels in the callback's address."""

    __table_args__ = (
        Index("ix_attempt_settle", "settle_at", sqlite_where=HAS_LOOKS, postgresql_where=HAS_LOOKS),
    )  # fmt: skip

    attempt_id: str = Field(primary_key=True)
    notification_id: int = Field(foreign_key="notification.notification_id", index=True)
    leg_id: int = Field(foreign_key="leg.leg_id")
    lease_token: int
    state: str
    started_at: datetime = moment(index=True)
    finished_at: datetime | None = maybe_moment()
    address: str
    text: str = long_text()
    read_age_seconds: float
    """How old the read of the invoice was when this was said."""
    sid: str | None = Field(default=None, unique=True)
    provider_status: str = ""
    http_status: int | None = None
    error_code: int | None = None
    cause: str = ""
    answer: str = long_text()
    settle_at: datetime | None = maybe_moment()
    """When its outcome is looked for, or a scheduled message is looked at, the next time."""
    settle_tries: int = 0
    send_at: datetime | None = maybe_moment()
    """When the provider is to send a message that it was given to hold; empty for one to be sent at once."""
    batch_id: str = later_text()
    """SendGrid's batch of an email that it was given to hold; empty for all else."""
    absent_at: datetime | None = maybe_moment()
    """When Twilio, after it could take the message no more, was first asked and did not list it."""
    cancel_why: str = later_text()
    """Why the provider was asked to cancel the scheduled message; empty while it was not."""
    overtaken_at: datetime | None = maybe_moment()
    """When something happened that may make untrue what Twilio holds, or is to hold; empty again once it was
    decided on since."""
    settled_by: str = ""
    flow_run_id: str | None = None
    told_with: str | None = Field(default=None, sa_type=Text)
    """The ids of the notifications that its message told beside its own, separated by blanks; ``None`` where
    that was not noted."""


class PolicyText(Row, table=True):
    """A policy file that a verdict was made by, as it was written, by the hash of its text."""

    sha256: str = Field(primary_key=True)
    text: str = long_text()
    first_used_at: datetime = moment()


class KeptVerdict(Row, table=True):
    """A verdict that changed something or was spoken by, with all that it rested on.

    The versions are those of the invoice and of the contact that is left after merges; ``facts`` is the
    rest. Two equal verdicts in a row are kept once, unless something was said by the second.
    """

    verdict_id: int | None = Field(default=None, primary_key=True)
    notification_id: int = Field(foreign_key="notification.notification_id", index=True)
    at: datetime = moment(index=True)
    """The time that the verdict was made for."""
    actor: str
    policy_sha256: str = Field(index=True)
    """Empty where the policy was not read from a file."""
    invoice_version: int
    contact_id: str | None = None
    contact_version: int | None = None
    verdict: str = long_text()
    facts: str = long_text()


class Receipt(Row, table=True):
    """Every status callback, raw and unordered. ``error_code`` is 0 where Twilio sent none."""

    __table_args__ = (UniqueConstraint("sid", "status", "error_code", name="uq_receipt"),)

    receipt_id: int | None = Field(default=None, primary_key=True)
    sid: str
    status: str
    error_code: int = 0
    attempt_id: str | None = Field(default=None, index=True)
    received_at: datetime = moment()
    form: str = long_text()


class Preference(Row, table=True):
    """What is known against, or for, writing to an address on a channel, and the evidence.

    The address of an email stands without its capitals.
    """

    address: str = Field(primary_key=True)
    channel: str = Field(primary_key=True)
    state: str
    evidence: str = ""
    changed_at: datetime = moment()


class ConsentWish(Row, table=True):
    """What the owner of a number wants, as last learned: what Twilio's consents are made from."""

    address: str = Field(primary_key=True)
    status: str
    source: str
    evidence: str = ""
    wished_at: datetime = moment()
    version: int = 1
    said_to: str = long_text()
    """The senders that heard it from the person, separated by blanks."""
    tenants: str = long_text()
    """The organisations whose senders it is about, separated by blanks; empty for all."""
    look_at: datetime | None = maybe_moment(index=True)
    """When it is laid out for our senders; empty once that is done."""
    groups_look_at: datetime | None = maybe_moment(index=True)
    """When it is laid out for the contact groups of Xero; empty once that is done."""


class ConsentLine(Row, table=True):
    """The outbox of consents: one number and one sender, what Twilio is to hold there, and its answer."""

    __table_args__ = (UniqueConstraint("address", "sender", name="uq_consent_line"),)

    line_id: int | None = Field(default=None, primary_key=True)
    address: str
    sender: str
    status: str
    source: str
    wished_at: datetime = moment()
    version: int
    stands: str
    posted_status: str = ""
    """What the last post said; empty while there was none."""
    posted_at: datetime | None = maybe_moment()
    answered_at: datetime | None = maybe_moment()
    """When the last post was answered; empty while it was not."""
    correlation_id: str = ""
    tries: int = 0
    next_at: datetime | None = maybe_moment(index=True)
    lease_until: datetime | None = maybe_moment()
    answer: str = long_text()


class ContactWish(Row, table=True):
    """A contact whose group in Xero asks for no SMS. ``since``: its last change when that was first seen."""

    tenant_id: str = Field(primary_key=True)
    contact_id: str = Field(primary_key=True)
    address: str
    since: datetime = moment()


class GroupLine(Row, table=True):
    """The outbox of contact groups: one contact and one group of Xero, and how its membership stands."""

    __table_args__ = (UniqueConstraint("tenant_id", "contact_id", "group_name", name="uq_group_line"),)

    line_id: int | None = Field(default=None, primary_key=True)
    tenant_id: str
    contact_id: str
    group_name: str
    address: str = Field(index=True)
    wanted: bool
    ours: bool = False
    """We put it there, and nobody took it out since."""
    stands: str
    version: int = 1
    adding_since: datetime | None = maybe_moment()
    """When we asked Xero to put it there, while the answer is missing."""
    written_at: datetime | None = maybe_moment()
    tries: int = 0
    next_at: datetime | None = maybe_moment(index=True)
    answer: str = long_text()


class WriteBack(Row, table=True):
    """Whether an organisation's contact group can be written: ``why`` not, empty where it can.

    ``group_name`` and ``group_id`` are those under which Xero last had it, empty until it was looked at.
    """

    tenant_id: str = Field(primary_key=True)
    group_name: str = later_text()
    group_id: str = later_text()
    why: str = ""
    changed_at: datetime = moment()
    lease_until: datetime | None = maybe_moment()
    """Until then one run changes the group; another would take it for the bookkeeper's doing."""


class InboundText(Row, table=True):
    """A message that a person wrote back; ``wish`` is what it asks for."""

    sid: str = Field(primary_key=True)
    address: str
    wish: str
    body: str = long_text()
    received_at: datetime = moment(index=True)


class Brake(Row, table=True):
    """What is stopped, or switched off, until a person or a success ends that. By its ``scope``:

    ``all``, or a tenant's id: sending, which is looked at before every message.
    ``channel:…``: what a fault of our setup has closed (``duebell.sending.stop_scopes``).
    ``scheduling``: that Twilio holds messages (``hold_switch``).
    ``consents``: that Twilio is told what people want (``mirror_switch``).
    ``volume:<tenant id>``: nothing; since when unusually many reminders may go (``volumes``).
    ``moved away`` and ``moving in``: all of a ledger that is not the one in force (``moved``).
    """

    scope: str = Field(primary_key=True)
    stopped: bool
    by: str
    why: str = ""
    changed_at: datetime = moment()
    retry_at: datetime | None = maybe_moment()
    """When one message tries a channel again that a fault of ours has stopped; empty for a person's stop."""


class Audit(Row, table=True):
    """Append-only: who did what to which subject. Each row's hash covers the row before it."""

    __table_args__ = (Index("ix_audit_action", "tenant_id", "action"),)

    sequence: int | None = Field(default=None, primary_key=True)
    at: datetime = moment(index=True)
    actor: str
    action: str
    subject_type: str
    subject_id: str = Field(index=True)
    tenant_id: str | None = None
    flow_run_id: str | None = None
    details: str = long_text()
    previous_hash: str
    hash: str = Field(unique=True)
