"""Who a message comes from: the sender that the policy names, or the installation's own."""

from duebell.policy.reaching import EMAIL, SMS
from duebell.policy.rules import Route
from duebell.policy_file.policy import Policy
from duebell.policy_file.shapes import OWN_SENDER
from duebell.sender_shapes import SenderKind, kind_of, takes_no_names
from duebell.settings import Settings


def sender_for(policy: Policy, route: Route, channel: str, address: str) -> str:
    """The sender of one message to this address: the rule's, else the policy's (``OWN_SENDER`` for our own).

    A name cannot be written under to the United States and Canada: there it is our own.
    """
    sending = policy.sending
    if channel == EMAIL:
        return sending.email_sender if route.email_sender is None else route.email_sender
    sender = sending.sender if route.sender is None else route.sender
    return OWN_SENDER if kind_of(sender) is SenderKind.NAME and takes_no_names(address) else sender


def sender_of(settings: Settings, channel: str, sender: str = OWN_SENDER) -> str:
    """The sender itself, which is that of the settings where none is named."""
    if channel == EMAIL:
        return sender or settings.email_from
    return sender or settings.twilio_messaging_service_sid or settings.twilio_from


def service_or_number(sender: str) -> tuple[str | None, str | None]:
    """A sender of SMS as Twilio is told it: a Messaging Service, or else a number or name."""
    return (sender, None) if kind_of(sender) is SenderKind.SERVICE else (None, sender or None)


def mirrored_senders(policy: Policy, settings: Settings) -> frozenset[str]:
    """Every sender of SMS that this policy may take and that Twilio keeps consents for: no names.

    Nobody can answer a name, not even with STOP; but where it cannot be written under, our own is.
    """
    named = {policy.sending.sender, *(rule.then.sender or OWN_SENDER for rule in policy.rules)}
    if any(kind_of(one) is SenderKind.NAME for one in named):
        named.add(OWN_SENDER)
    every = {sender_of(settings, SMS, one) for one in named}
    return frozenset(one for one in every if kind_of(one) in {SenderKind.NUMBER, SenderKind.SERVICE})


def all_mirrored_senders(policy: Policy, settings: Settings) -> frozenset[str]:
    """Those of every organisation together."""
    every = [policy, *policy.tenants.values()]
    return frozenset[str]().union(*(mirrored_senders(one, settings) for one in every))
