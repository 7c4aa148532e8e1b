"""The policy's sections, but for the ladder and the rules, and the values that they are shipped with."""

from collections.abc import Mapping
from datetime import time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, cast

from pydantic import AfterValidator, Field, StrictBool, ValidationInfo, field_validator

from duebell.languages import ENGLISH
from duebell.policy_file.shapes import (
    CUSTOMER,
    OWN_SENDER,
    Amount,
    Channel,
    Channels,
    Clock,
    Country,
    Currency,
    Days,
    Email,
    EmailSender,
    FallBack,
    Language,
    Manner,
    Minutes,
    Number,
    Section,
    SmsSender,
    SomeChannels,
    Tell,
    Weekday,
    Weekdays,
    WhoseClock,
    said,
    teams_in,
)

EVERY_DAY = tuple(Weekday)
OFFICE_DAYS = (Weekday.MON, Weekday.TUE, Weekday.WED, Weekday.THU, Weekday.FRI)


class Digest(StrEnum):
    """How a team hears: once a day all together, or of each as it happens."""

    DAILY = "daily"
    EACH = "each"


class Attention(StrEnum):
    """What a team hears of because somebody has to do something about it.

    ``promise_broken``: the expected payment date has passed. ``not_told``: a customer could not be told.
    ``credit_waits``: a reminder is held by credit that is not allocated.
    """

    PROMISE_BROKEN = "promise_broken"
    NOT_TOLD = "not_told"
    CREDIT_WAITS = "credit_waits"


def _at_most_once(hears: tuple[Attention, ...]) -> tuple[Attention, ...]:
    if len(set(hears)) != len(hears):
        raise said("must name each once")
    return hears


class SendingPolicy(Section):
    """``allowlist``: E.164 numbers that messages go to while the installation's ceiling is ``allowlist``.

    The senders are the installation's own where they are empty.
    """

    allowlist: tuple[Number, ...] = Field(default=(), repr=False)
    sender: SmsSender = OWN_SENDER
    email_sender: EmailSender = OWN_SENDER


class LanguagePolicy(Section):
    """In which language a message is said: by the recipient's country (ISO code), else the default one."""

    default: Language = ENGLISH
    by_country: Mapping[Country, Language] = Field(default_factory=dict[str, str])


class WindowPolicy(Section):
    """When messages may go out: ``opens`` to ``closes`` on ``days``; equal times mean at any hour."""

    opens: Clock = time(8)
    closes: Clock = time(21)
    days: Weekdays = EVERY_DAY
    on_holidays: StrictBool = True
    clock: WhoseClock = WhoseClock.RECIPIENT


class MessagePolicy(WindowPolicy):
    """What every kind of message has.

    ``contact_persons``: further persons at the customer are told too, where email is among the channels.
    ``sending``: given to Twilio to be sent at once, or to be held for a while and taken back if need be.
    ``online_link``: the channels by which the address is told at which the invoice can be seen.
    ``fall_back_unknown``: the next way also takes a message of which nobody can tell whether it went out.
    """

    enabled: StrictBool = True
    online_link: SomeChannels = ()
    channels: Channels = (Channel.SMS,)
    contact_persons: StrictBool = True
    fall_back: FallBack = FallBack.NEXT_DAY
    fall_back_unknown: StrictBool = False
    sending: Manner = Manner.STRICT

    @field_validator("fall_back_unknown")
    @classmethod
    def _only_with_a_next_way(cls, unknown: object, info: ValidationInfo) -> object:
        if unknown and info.data.get("fall_back") is FallBack.NEVER:
            raise said('must be false where fall_back is "never"')
        return unknown


class KindPolicy(MessagePolicy):
    """A kind of message that is news, and not told of what lies more than ``oldest_days`` back.

    ``team_from``: by currency, the least amount of which the teams in ``tell`` hear.
    """

    oldest_days: Days = 7
    tell: Tell = (CUSTOMER,)
    team_from: Mapping[Currency, Amount] = Field(default_factory=dict[str, Decimal])

    @property
    def teams(self) -> tuple[str, ...]:
        """The names of the teams that hear of it."""
        return teams_in(self.tell)


class InvoiceIssuedPolicy(KindPolicy):
    """Telling of a new invoice; ``oldest_days`` counts from the invoice's date."""

    online_link: SomeChannels = (Channel.EMAIL,)


class PaymentReceivedPolicy(KindPolicy):
    """Confirming a payment; ``oldest_days`` counts from the day on which it was paid."""

    oldest_days: Days = 14


class TeamPolicy(WindowPolicy):
    """People of the business itself. Of which stages and other messages they hear, those say.

    ``hears`` is what they hear of beside: what needs somebody's attention. ``language`` is the default one
    where there is none here.
    """

    phones: tuple[Number, ...] = Field(default=(), repr=False)
    emails: tuple[Email, ...] = Field(default=(), repr=False)
    digest: Digest = Digest.DAILY
    hears: Annotated[tuple[Attention, ...], AfterValidator(_at_most_once)] = tuple(Attention)
    language: Language | None = None
    opens: Clock = time(9)
    closes: Clock = time(17)
    days: Weekdays = OFFICE_DAYS
    on_holidays: StrictBool = False
    clock: WhoseClock = WhoseClock.ORGANISATION


class LimitsPolicy(Section):
    """How much is sent at most, and what a person is asked about first."""

    messages_an_hour: Annotated[int, Field(strict=True, ge=1, le=100_000)] = 300
    reminders_a_day: Annotated[int, Field(strict=True, ge=1, le=10)] = 1
    reminders_a_week: Annotated[int, Field(strict=True, ge=1, le=50)] = 3
    breaker: Amount = Decimal(3)
    breaker_days: Annotated[int, Field(strict=True, ge=1, le=366)] = 30
    breaker_from: Annotated[int, Field(strict=True, ge=1, le=100_000)] = 50

    @field_validator("breaker")
    @classmethod
    def _at_least_once(cls, times: Decimal) -> Decimal:
        if times < 1:
            raise said("must be 1 or more")
        return times


class PollingPolicy(Section):
    """Asking Xero for what webhooks did not bring. ``not_for``: tenants that are not asked about."""

    enabled: StrictBool = True
    every_minutes: Minutes = 15
    not_for: tuple[str, ...] = ()


SHORTEST_FOR_EMAILS = 20
"""Minutes: half of them are left for finding out what became of an email, and for taking it back."""


class HoldPolicy(Section):
    """How long a message is held whose kind is sent with ``sending = "hold"``.

    ``lead_minutes``: how long before its time Twilio has to have it. ``slack_minutes``: how much longer it
    may be under way to Twilio, or be missing from Twilio's list. ``emails``: whether SendGrid holds emails of
    such a kind too, which it takes back until ten minutes before their time alone.
    """

    lead_minutes: Annotated[int, Field(strict=True, ge=5, le=60)] = 15
    slack_minutes: Annotated[int, Field(strict=True, ge=5, le=120)] = 10
    emails: StrictBool = False

    @field_validator("emails")
    @classmethod
    def _held_long_enough(cls, emails: StrictBool, info: ValidationInfo) -> StrictBool:
        held = sum(cast("int", info.data.get(name, 0)) for name in ("lead_minutes", "slack_minutes"))
        if emails and held < SHORTEST_FOR_EMAILS:
            raise said(
                f"needs lead_minutes and slack_minutes of {SHORTEST_FOR_EMAILS} together or more: SendGrid "
                "takes nothing back in the ten minutes before its time"
            )
        return emails


class SettlePolicy(Section):
    """When an unknown send is looked for, in minutes after it, and when a person is asked."""

    after_minutes: tuple[Minutes, ...] = (1, 5, 15)
    park_after_minutes: Minutes = Field(default=20, validate_default=True)

    @property
    def first_look(self) -> timedelta:
        """How long after an unanswered POST its outcome is looked for first."""
        return timedelta(minutes=self.after_minutes[0])

    @field_validator("after_minutes")
    @classmethod
    def _rising(cls, minutes: tuple[int, ...]) -> tuple[int, ...]:
        if not minutes or list(minutes) != sorted(set(minutes)):
            raise said("must list minutes from the smallest to the largest, at least one")
        return minutes

    @field_validator("park_after_minutes")
    @classmethod
    def _behind_the_last_look(cls, park: int, info: ValidationInfo) -> int:
        looks = cast("tuple[int, ...]", info.data.get("after_minutes", ()))
        if looks and park <= looks[-1]:
            raise said("must be more than the last of after_minutes")
        return park
