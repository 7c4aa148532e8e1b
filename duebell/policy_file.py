"""The policy: what is told, when and by what way. A bookkeeper edits it, so every slip has its line."""

import re
import tomllib
from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from duebell.errors import ConfigurationError
from duebell.phone import parse_e164
from duebell.setting_shapes import did_you_mean

CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
WORDS: dict[str, str] = {
    "bool_type": "must be true or false, without quotes",
    "int_type": "must be a whole number, without quotes",
    "string_type": "must be text in quotes",
    "tuple_type": "must be a list in square brackets",
    "enum": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "model_type": "must be a section of its own, written [like_this]",
}


HEADER = re.compile(r"\s*\[+\s*[\"']?([\w-]+)")
KEY = re.compile(r"\s*[\"']?([\w-]+)[\"']?\s*[=.]")


class Channel(StrEnum):
    """By what way a person is told."""

    SMS = "sms"


def _clock(value: object) -> object:
    if isinstance(value, str) and CLOCK.fullmatch(value):
        return time.fromisoformat(value)
    raise PydanticCustomError("said", 'must be a time such as "08:00", in quotes; midnight is "00:00"')


def _number(value: object) -> object:
    try:
        return parse_e164(value) if isinstance(value, str) else value
    except ConfigurationError:
        raise PydanticCustomError("said", "must be a phone number with + and its country code") from None


Clock = Annotated[time, BeforeValidator(_clock)]
Number = Annotated[str, BeforeValidator(_number)]
Minutes = Annotated[int, Field(strict=True, ge=1, le=24 * 60)]


class Section(BaseModel):
    """Frozen; a key that does not exist is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SendingPolicy(Section):
    """``allowlist``: E.164 numbers that messages go to while the installation's ceiling is ``allowlist``."""

    allowlist: tuple[Number, ...] = Field(default=(), repr=False)


class KindPolicy(Section):
    """A kind of message. ``opens`` and ``closes`` are on the recipient's clock; equal means always."""

    enabled: StrictBool = True
    channels: tuple[Channel, ...] = (Channel.SMS,)
    opens: Clock = time(8)
    closes: Clock = time(21)
    oldest_days: Annotated[int, Field(strict=True, ge=0, le=366)] = 7

    @field_validator("channels")
    @classmethod
    def _each_once(cls, channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
        if not channels or len(set(channels)) != len(channels):
            raise PydanticCustomError("said", "must name at least one way, and each once")
        return channels


class InvoiceIssuedPolicy(KindPolicy):
    """Telling of a new invoice; ``oldest_days`` counts from the invoice's date."""


class PaymentReceivedPolicy(KindPolicy):
    """Confirming a payment; ``oldest_days`` counts from the day on which it was paid."""

    oldest_days: Annotated[int, Field(strict=True, ge=0, le=366)] = 14


class PollingPolicy(Section):
    """Asking Xero for what webhooks did not bring. ``not_for``: tenants that are not asked about."""

    enabled: StrictBool = True
    every_minutes: Minutes = 15
    not_for: tuple[str, ...] = ()


class SettlePolicy(Section):
    """When an unknown send is looked for, in minutes after it, and when a person is asked."""

    after_minutes: tuple[Minutes, ...] = (1, 5, 15)
    park_after_minutes: Minutes = Field(default=20, validate_default=True)

    @field_validator("after_minutes")
    @classmethod
    def _rising(cls, minutes: tuple[int, ...]) -> tuple[int, ...]:
        if not minutes or list(minutes) != sorted(set(minutes)):
            raise PydanticCustomError(
                "said", "must list minutes from the smallest to the largest, at least one"
            )
        return minutes

    @field_validator("park_after_minutes")
    @classmethod
    def _behind_the_last_look(cls, park: int, info: ValidationInfo) -> int:
        looks = cast("tuple[int, ...]", info.data.get("after_minutes", ()))
        if looks and park <= looks[-1]:
            raise PydanticCustomError("said", "must be more than the last of after_minutes")
        return park


class Policy(Section):
    """The whole policy. A section or line that is left out has the value that it is shipped with."""

    sending: SendingPolicy = SendingPolicy()
    invoice_issued: InvoiceIssuedPolicy = InvoiceIssuedPolicy()
    payment_received: PaymentReceivedPolicy = PaymentReceivedPolicy()
    polling: PollingPolicy = PollingPolicy()
    settle: SettlePolicy = SettlePolicy()


SECTIONS: dict[str, type[Section]] = {
    "sending": SendingPolicy,
    "invoice_issued": InvoiceIssuedPolicy,
    "payment_received": PaymentReceivedPolicy,
    "polling": PollingPolicy,
    "settle": SettlePolicy,
}


def load_policy(path: Path) -> Policy:
    """Read ``policy.toml``. Raises one ``ConfigurationError`` that names every slip with its line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{path} cannot be read. Put a policy there, as UTF-8 text.") from None
    try:
        return Policy.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as slip:
        raise ConfigurationError(f"{path.name} cannot be understood: {slip}") from None
    except ValidationError as slips:
        found = sorted(_slip(text, error) for error in slips.errors(include_input=False, include_url=False))
    lines = "\n".join(f"- {path.name} line {line}: {slip}" for line, slip in found)
    raise ConfigurationError(f"The policy is not as it must be:\n{lines}")


def _slip(text: str, error: ErrorDetails) -> tuple[int, str]:
    """Line, and what the key must be; the value itself may be a phone number and is not repeated."""
    section, *rest = (str(part) for part in error["loc"])
    key = rest[0] if rest else ""
    name = f"[{section}] {key}".rstrip()
    if len(rest) > 1:
        name += f", item {int(rest[1]) + 1},"
    line = _line_of(text, section, key)
    if error["type"] == "extra_forbidden":
        known = set(SECTIONS[section].model_fields) if key else set(SECTIONS)
        return line, f"{name} does not exist. {did_you_mean(key or section, known)}"
    said = WORDS.get(error["type"], "").format_map(error.get("ctx", {})) or error["msg"]
    return line, f"{name} {said}"


def _line_of(text: str, section: str, key: str) -> int:
    """The line of a key, else of its section, else the first: TOML may be written in ways that hide it."""
    here, nearest = "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        if header := HEADER.match(line):
            here = header[1]
            nearest = number if here == section else nearest
        elif found := KEY.match(line):
            if (here, found[1]) == (section, key):
                return number
            nearest = number if (here, found[1]) == ("", section) else nearest
    return nearest
