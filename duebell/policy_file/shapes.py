"""The values that the policy's keys may have, each with what it must look like in a bookkeeper's words."""

import re
from datetime import time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from duebell.email.addresses import AddressFault, address_fault, mailbox
from duebell.errors import ConfigurationError
from duebell.languages import is_language
from duebell.phone import parse_e164
from duebell.sender_shapes import kind_of

CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
NAME = re.compile(r"[a-z][a-z0-9_-]*")
CURRENCY = re.compile(r"[A-Z]{3}")
COUNTRY = re.compile(r"[A-Z]{2}")
OWN_SENDER = ""
"""The sender of the installation's settings: TWILIO_MESSAGING_SERVICE_SID, TWILIO_FROM or EMAIL_FROM."""
LARGEST = Decimal(10) ** 12
TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Channel(StrEnum):
    """By what way a person is told."""

    SMS = "sms"
    EMAIL = "email"


class FallBack(StrEnum):
    """When the next way takes a message whose first way failed.

    ``next_day``: at once where it was refused, 24 hours later where it went out and came back.
    """

    AT_ONCE = "at_once"
    NEXT_DAY = "next_day"
    NEVER = "never"


class Manner(StrEnum):
    """How an SMS is sent: at once, or held at Twilio until a time, so that it can still be cancelled."""

    STRICT = "strict"
    HOLD = "hold"


class Kind(StrEnum):
    """What a message is about."""

    INVOICE_ISSUED = "invoice_issued"
    PAYMENT_RECEIVED = "payment_received"
    INVOICE_OVERDUE = "invoice_overdue"


class Weekday(StrEnum):
    """A day of the week, in the order of ``date.weekday()``."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class WhoseClock(StrEnum):
    """On whose clock and calendar the hours, days and public holidays are."""

    RECIPIENT = "recipient"
    ORGANISATION = "organisation"


class Section(BaseModel):
    """Frozen; a key that does not exist is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def said(words: str) -> PydanticCustomError:
    """What a key must be, as it ends a sentence that begins with the key."""
    return PydanticCustomError("said", "{words}", {"words": words})


def shaped(pattern: re.Pattern[str], words: str) -> BeforeValidator:
    """Text of a pattern, or ``words`` say what it must be."""

    def check(value: object) -> object:
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        raise said(words)

    return BeforeValidator(check)


def _clock(value: object) -> object:
    if isinstance(value, str) and CLOCK.fullmatch(value):
        return time.fromisoformat(value)
    raise said('must be a time such as "08:00", in quotes; midnight is "00:00"')


def _number(value: object) -> object:
    try:
        return parse_e164(value) if isinstance(value, str) else value
    except ConfigurationError:
        raise said("must be a phone number with + and its country code") from None


def _amount(value: object) -> object:
    amount = Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
    if amount is not None and amount.is_finite() and 0 <= amount < LARGEST:
        return amount
    raise said("must be an amount such as 20 or 19.50, without quotes and currency")


def _language(value: object) -> object:
    if isinstance(value, str) and is_language(value):
        return value
    raise said('must be a language\'s code in quotes, such as "de", or "de-CH" with its region')


def _variant(name: str) -> str:
    if is_language(name):
        raise said(f'is the code of a language: write language = "{name}", or give the template another name')
    return name


def _sms_sender(value: object) -> object:
    if value == OWN_SENDER or (isinstance(value, str) and kind_of(value) is not None):
        return value
    raise said(
        "must be in quotes: a number with + and its country code, a short code, the SID of a Messaging "
        "Service, or a name of at most 11 letters, digits and blanks with a letter among them"
    )


def _email_sender(value: object) -> object:
    if value == OWN_SENDER or (isinstance(value, str) and mailbox(value) is not None):
        return value
    raise said('must be an email address, or "Company <accounts@company.com>", in quotes')


NO_EMAIL = {
    AddressFault.SEVERAL_ADDRESSES: 'must be one email address: write each in quotes of its own, ["…", "…"]',
    AddressFault.NOT_ONE_LINE: "has a character that is not seen, as one that was pasted: type it anew",
    AddressFault.NOT_ASCII: "must be an email address in plain letters: write a domain that has others as "
    "its provider does, xn--…",
    AddressFault.TOO_LONG: "must be an email address of at most 254 characters, 64 of them before the @",
}


def _email(value: object) -> object:
    """By the rule that a message is sent by: what is taken here is not held there."""
    fault = address_fault(value) if isinstance(value, str) else AddressFault.NOT_AN_ADDRESS
    if fault is None:
        return value
    alone = (
        'must be an email address alone, such as "accounts@company.com", in quotes; a dot stands neither '
        "beside the @ nor beside another"
    )
    raise said(NO_EMAIL.get(fault, alone))


def several(value: object) -> object:
    """One word for a list of one."""
    return (value,) if isinstance(value, str) else value


def _never_twice(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise said("must name each once")
    return values


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values or len(set(values)) != len(values):
        raise said("must name at least one, and each once")
    return values


CUSTOMER = "customer"
TEAM = "team:"


def _who(tell: tuple[str, ...]) -> tuple[str, ...]:
    right = all(
        one == CUSTOMER or (one.startswith(TEAM) and NAME.fullmatch(one[len(TEAM) :])) for one in tell
    )
    if not tell or not right or len(set(tell)) != len(tell):
        raise said('must list "customer", or teams such as "team:accounts", or both, each once')
    return tell


def teams_in(tell: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the teams among those who are told."""
    return tuple(one.removeprefix(TEAM) for one in tell if one != CUSTOMER)


Tell = Annotated[tuple[str, ...], AfterValidator(_who)]
Clock = Annotated[time, BeforeValidator(_clock)]
Number = Annotated[str, BeforeValidator(_number)]
Amount = Annotated[Decimal, BeforeValidator(_amount)]
Minutes = Annotated[int, Field(strict=True, ge=1, le=24 * 60)]
Days = Annotated[int, Field(strict=True, ge=0, le=366)]
Name = Annotated[
    str, shaped(NAME, 'must be a name of small letters, digits, - and _, such as "day-7", in quotes')
]
Variant = Annotated[Name, AfterValidator(_variant)]
"""The name of other words for a kind of message, which are a folder beside those of the languages."""
SmsSender = Annotated[str, BeforeValidator(_sms_sender)]
EmailSender = Annotated[str, BeforeValidator(_email_sender)]
Language = Annotated[str, BeforeValidator(_language)]
Currency = Annotated[str, shaped(CURRENCY, 'must be a currency\'s code such as "NZD"')]
Country = Annotated[str, shaped(COUNTRY, 'must be a country\'s code of two letters, such as "NZ"')]
Email = Annotated[str, BeforeValidator(_email)]
TenantId = Annotated[
    str, shaped(TENANT, "must be an organisation's tenant id, in small letters and in quotes")
]
Text = Annotated[str, Field(strict=True, min_length=1, max_length=200)]
Channels = Annotated[tuple[Channel, ...], AfterValidator(_each_once)]
SomeChannels = Annotated[tuple[Channel, ...], BeforeValidator(several), AfterValidator(_never_twice)]
"""Channels, or none."""
Weekdays = Annotated[tuple[Weekday, ...], AfterValidator(_each_once)]

Texts = Annotated[tuple[Text, ...], BeforeValidator(several), AfterValidator(_each_once)]
"""One text or a list of them: any of them will do."""
Names = Annotated[tuple[Name, ...], BeforeValidator(several), AfterValidator(_each_once)]
Currencies = Annotated[tuple[Currency, ...], BeforeValidator(several), AfterValidator(_each_once)]
Countries = Annotated[tuple[Country, ...], BeforeValidator(several), AfterValidator(_each_once)]
Kinds = Annotated[tuple[Kind, ...], BeforeValidator(several), AfterValidator(_each_once)]


def is_listed(value: str, listed: tuple[str, ...]) -> bool:
    """Whether a word of Xero's is among those that a person typed, however they wrote its capitals."""
    return value.strip().casefold() in {one.strip().casefold() for one in listed}
