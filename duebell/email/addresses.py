"""Which text is one email address, and which may stand in a header: decided by rule, never repaired.

An address or a subject that carries a line break would add headers of a stranger's choice to our email; the
providers' JSON interfaces take it as it is. What could be read in two ways is refused with its reason: an
email about money that reaches a stranger is worse than one that is not sent.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum

LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3: a path of 256 with its two brackets
LONGEST_LOCAL_PART = 64  # RFC 5321, 4.5.3.1.1
LONGEST_NAME = 100

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?:[A-Za-z]{{2,63}}|xn--[A-Za-z0-9-]{{2,59}})")
_SEVERAL = re.compile(r"@.*[\s,;].*@", re.DOTALL)
_NAMED = re.compile(r"(?P<name>[^<>]*?)\s*<(?P<address>[^<>]*)>")
# Cc control, Cf invisible and bidirectional, Cs half a character, Zl and Zp line breaks: none is shown, and
# each changes what is around it.
_NOT_IN_HEADERS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class AddressFault(StrEnum):
    """Why a text is no address that an email can go to."""

    NO_ADDRESS = "no_address"
    NOT_ONE_LINE = "not_one_line"
    SEVERAL_ADDRESSES = "several_addresses"
    NOT_ASCII = "not_ascii"
    TOO_LONG = "too_long"
    NOT_AN_ADDRESS = "not_an_address"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address, and the name that a person sees in its place, empty where there is none."""

    address: str = field(repr=False)
    name: str = field(default="", repr=False)


def address_fault(text: str) -> AddressFault | None:
    """What keeps ``text`` from being exactly one address in its plain form, or ``None``.

    No quoted local part and no letters beyond ASCII: SendGrid and Twilio's Email API take neither.
    """
    if not text.strip():
        return AddressFault.NO_ADDRESS
    if _SEVERAL.search(text):
        return AddressFault.SEVERAL_ADDRESSES
    if not fits_header(text):
        return AddressFault.NOT_ONE_LINE
    if not text.isascii():
        return AddressFault.NOT_ASCII
    if len(text) > LONGEST_ADDRESS or len(text.partition("@")[0]) > LONGEST_LOCAL_PART:
        return AddressFault.TOO_LONG
    return None if _ADDRESS.fullmatch(text) else AddressFault.NOT_AN_ADDRESS


def folded(address: str) -> str:
    """An address as it is compared with another: the same however its capitals are typed.

    By the letter of RFC 5321 (2.4) capitals before the @ may matter. Where they do, one person is told and
    the other is not, nowhere is a person told twice, and who stopped one spelling is told by none.
    """
    return address.strip().casefold()


def are_one(address: str, other: str) -> bool:
    """Whether two addresses, or two numbers, are the same however their capitals are typed."""
    return folded(address) == folded(other)


def fits_header(text: str) -> bool:
    """Whether a text is one line that shows all that it holds."""
    return not any(unicodedata.category(character) in _NOT_IN_HEADERS for character in text)


def mailbox(text: str) -> Mailbox | None:
    """Read ``address`` or ``Name <address>``; ``None`` where it is neither.

    The quotation marks that mail programs put around a name are left out: it goes into a field of its own.
    """
    named = _NAMED.fullmatch(text.strip())
    address = named["address"].strip() if named else text.strip()
    name = named["name"].strip().removeprefix('"').removesuffix('"').strip() if named else ""
    if address_fault(address) or not fits_header(name) or '"' in name or "\\" in name:
        return None
    return Mailbox(address, name) if len(name) <= LONGEST_NAME else None
