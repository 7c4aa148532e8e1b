"""What a sender of an SMS may look like, and where one that is a name reaches nobody."""

import re
from enum import StrEnum

import phonenumbers

NUMBER = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}")
SERVICE = re.compile(r"MG[0-9a-f]{32}")
NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_-]{1,11}")

NO_NAMES = frozenset({"US", "CA"})
"""Where no SMS comes under a name (twilio.com/docs/glossary/what-alphanumeric-sender-id)."""


class SenderKind(StrEnum):
    """What a sender is. Nobody can answer a name, not even with STOP."""

    NUMBER = "number"
    SERVICE = "service"
    NAME = "name"


def kind_of(sender: str) -> SenderKind | None:
    """What this sender of an SMS is: a number or short code, a Messaging Service, a name, or nothing."""
    if SERVICE.fullmatch(sender):
        return SenderKind.SERVICE
    if NUMBER.fullmatch(sender):
        return SenderKind.NUMBER
    return SenderKind.NAME if NAME.fullmatch(sender) else None


def takes_no_names(number: str) -> bool:
    """Whether this number (E.164) is of a country in which no SMS comes under a name."""
    return phonenumbers.region_code_for_number(phonenumbers.parse(number)) in NO_NAMES
