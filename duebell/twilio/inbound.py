"""What a person wrote back: the words by which carriers and Twilio let somebody stop and start messages.

The words, and the rule that the whole message must be one of them, are Twilio's own for the numbers that it
keeps the list of (support.twilio.com, "Twilio support for opt-out keywords"); OPTOUT and REVOKE are the FCC's
since April 2025. What asks for an end in other words is for a person to read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from duebell.old_numbers import as_dialled_now
from duebell.twilio.revoking import letters_of, seems_to_revoke

INBOUND_PATH = "/webhooks/twilio/inbound"

NOTHING = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
"""The answer that says nothing: Twilio replies to STOP and HELP by itself, and blocks what follows STOP."""


OVER_RCS = "rcs:"
"""Before the sender of what comes over RCS, where the Messaging Service carries on a conversation of SMS."""


class Wish(StrEnum):
    """What a message asks for.

    ``REVOKES``: an end, as it seems, in words of its own. ``YES``: to be told again, where it is said to a
    sender that heard the STOP, and elsewhere the answer to anything. ``AGAIN``: to be told again, perhaps.
    """

    STOP = "stop"
    START = "start"
    YES = "yes"
    AGAIN = "again"
    HELP = "help"
    REVOKES = "revokes"
    NOTHING = "nothing"


WORDS: dict[str, Wish] = {
    **dict.fromkeys(
        ("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "revoke"), Wish.STOP
    ),
    **dict.fromkeys(("start", "unstop"), Wish.START),
    **dict.fromkeys(("help", "info"), Wish.HELP),
}

YES = "yes"
"""Twilio's third word for START. People say it to much else."""


@dataclass(frozen=True, slots=True)
class Senders:
    """Our senders, numbers and Messaging Services: the installation's own, and every one that we use."""

    own: str
    every: frozenset[str]


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A message that somebody sent to one of our senders. ``sender`` is who wrote it: a number, where it came
    by SMS or over RCS.

    ``service`` is the Messaging Service that the number belongs to, empty where it belongs to none.
    """

    sid: str
    account_sid: str
    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    body: str = field(repr=False)
    wish: Wish
    service: str = ""

    @property
    def heard_by(self) -> frozenset[str]:
        """The senders of ours that it was said to: Twilio heeds a word for the whole of a Service."""
        return frozenset(filter(None, (self.recipient, self.service)))


def read_inbound(form: Iterable[tuple[str, str]]) -> InboundMessage:
    """Read the fields of Twilio's webhook; one that was not sent is empty. Never raises."""
    fields: dict[str, str] = {}
    for key, value in form:
        fields.setdefault(key, value)
    body = fields.get("Body", "")
    return InboundMessage(
        fields.get("MessageSid") or fields.get("SmsSid", ""),
        fields.get("AccountSid", ""),
        _number_of(fields.get("From", "")),
        fields.get("To", ""),
        body,
        wish_of(body, fields.get("OptOutType", "")),
        fields.get("MessagingServiceSid", ""),
    )


def _number_of(sender: str) -> str:
    """The number that somebody wrote from, as we write to it, by whichever channel of the conversation."""
    is_rcs = sender[: len(OVER_RCS)].lower() == OVER_RCS
    return as_dialled_now(sender[len(OVER_RCS) :] if is_rcs else sender)


def wish_of(body: str, opt_out_type: str = "") -> Wish:
    """What a message asks for.

    ``opt_out_type`` is Twilio's own reading, which it tells where the Messaging Service has Advanced Opt-Out
    with words of its own. Capitals, accents, the width of the letters, what is not seen and the marks at the
    end make no difference, but for YES: that is the whole message, as Twilio has it, or may mean anything.
    """
    said, told = letters_of(body), WORDS.get(opt_out_type.strip().lower())
    word = said.strip("\"'`.,;:!?()[]*-_ ").replace("opt out", "optout").replace("stop all", "stopall")
    if word == YES and told in {None, Wish.START}:
        return Wish.YES if body.strip().lower() == YES else Wish.AGAIN
    if told is not None:
        return told
    found = WORDS.get(word.replace("opt-out", "optout"))
    if found is not None:
        return found
    return Wish.REVOKES if seems_to_revoke(said) else Wish.NOTHING
