"""What a fault of our own setup closes: a channel, or only one country, one sender, or that sender there.

A scope reads ``channel:sms``, ``channel:sms:US``, ``channel:sms:from:+6421…`` or
``channel:sms:US:from:+6421…``; the installation's own sender is ``OURS``.
"""

from dataclasses import dataclass

from duebell.phone import country_of_number
from duebell.policy.reaching import SMS
from duebell.twilio.codes import Stops

SCOPE = "channel:"
STOPPED = "channel_stopped:"
"""How the scopes of such stops begin, and the reasons of what waits for their end."""

FROM = "from"
OURS = "-"
"""Stands for the installation's own sender: a name has a letter at least."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A scope, taken apart: an empty country or sender means every one."""

    channel: str
    country: str = ""
    sender: str = ""

    @property
    def scope(self) -> str:
        """As the ledger names it."""
        parts = [self.channel, *([self.country] if self.country else [])]
        parts += [FROM, self.sender] if self.sender else []
        return SCOPE + ":".join(parts)


def closed_by(scope: str) -> Closed:
    """A scope, taken apart."""
    whole, _, sender = scope.removeprefix(SCOPE).partition(f":{FROM}:")
    channel, _, country = whole.partition(":")
    return Closed(channel, country, sender)


def scopes_of(channel: str, address: str, sender: str) -> dict[Stops, str]:
    """What may stop a message by this channel to this address from this sender, by how much of it is closed.

    ``sender`` is empty for the installation's own. Only SMS differ by country and sender.
    """
    every = {Stops.CHANNEL: Closed(channel)}
    if channel == SMS:
        country, sender = country_of_number(address) or "", sender or OURS
        every[Stops.DESTINATION] = Closed(channel, country)
        every[Stops.SENDER] = Closed(channel, sender=sender)
        every[Stops.ROUTE] = Closed(channel, country, sender)
    return {stops: closed.scope for stops, closed in every.items()}


def reason_of(scope: str) -> str:
    """Why something waits for the end of this stop."""
    return STOPPED + scope.removeprefix(SCOPE)


def is_of_one_country(scope: str) -> bool:
    """Whether only messages to one country wait."""
    return bool(closed_by(scope).country)
