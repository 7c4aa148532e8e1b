"""By which ways a contact can be reached, in the policy's order, and why the others are closed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from duebell.countries import region_of
from duebell.email.addresses import address_fault
from duebell.model import Contact
from duebell.phone import NoPhone, best_mobile

SMS, EMAIL = "sms", "email"


class Closed(StrEnum):
    """Why a way to a person is closed."""

    NO_WAY = "no_way"
    NO_PHONE = "no_phone"
    NO_EMAIL = "no_email"
    OPTED_OUT = "opted_out"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Way:
    """A channel and the address on it."""

    channel: str
    address: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ways:
    """The open ways, the first choice first; ``closed`` says why, by channel, with a code that says more."""

    open: tuple[Way, ...]
    closed: tuple[tuple[Closed, str], ...] = ()


def ways_to(contact: Contact, channels: Iterable[str], country: str, refusals: Mapping[str, str]) -> Ways:
    """The ways to a contact. ``country`` is the organisation's, for numbers that do not tell their own."""
    found = [_way(contact, channel, country) for channel in channels]
    ways = [one for one in found if isinstance(one, Way)]
    missing = [one for one in found if not isinstance(one, Way)]
    refused = [(Closed(refusals[one.address]), "") for one in ways if one.address in refusals]
    return Ways(tuple(one for one in ways if one.address not in refusals), (*refused, *missing))


def refusals_of(
    contact: Contact | None, country: str, refusals: Mapping[str, str], *, stop_ends_email: bool
) -> Mapping[str, str]:
    """The refusals as they hold for a customer: who opted out at their number may, by the policy, be written
    to by email no more either, whether an SMS would go there or not.
    """
    if not stop_ends_email or contact is None:
        return refusals
    number = _way(contact, SMS, country)
    stopped = isinstance(number, Way) and refusals.get(number.address) == Closed.OPTED_OUT.value
    return {**refusals, contact.email: Closed.OPTED_OUT.value} if stopped else refusals


def _way(contact: Contact, channel: str, country: str) -> Way | tuple[Closed, str]:
    if channel == EMAIL:
        fault = address_fault(contact.email)
        return (Closed.NO_EMAIL, fault.value) if fault else Way(EMAIL, contact.email)
    phone = best_mobile(contact.phones, contact.country, country)
    return (Closed.NO_PHONE, phone.reason.value) if isinstance(phone, NoPhone) else Way(SMS, phone.e164)


def number_tells(contact: Contact | None, country: str) -> str:
    """The number that tells where somebody is who is written to by email, as by its area code.

    Empty where it is of another country than the one typed. ``country`` is the organisation's.
    """
    if contact is None:
        return ""
    found = best_mobile(contact.phones, contact.country, country)
    if isinstance(found, NoPhone) or region_of(contact.country) not in {None, found.region}:
        return ""
    return found.e164
