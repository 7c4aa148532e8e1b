"""What a person wrote back: the words by which carriers and Twilio let somebody stop and start messages.

The words, and the rule that the whole message must be one of them, are Twilio's own for the numbers that it
keeps the list of (support.twilio.com, "Twilio support for opt-out keywords"); OPTOUT and REVOKE are the FCC's
since April 2025. What asks for an end in other words is for a person to read.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from duebell.old_numbers import as_dialled_now

INBOUND_PATH = "/webhooks/twilio/inbound"

NOTHING = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
"""The answer that says nothing: Twilio replies to STOP and HELP by itself, and blocks what follows STOP."""


OVER_RCS = "rcs:"
"""Before the sender of what comes over RCS, where the Messaging Service carries on a conversation of SMS."""


class Wish(StrEnum):
    """What a message asks for. ``REVOKES``: an end, as it seems, in words of its own."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    REVOKES = "revokes"
    NOTHING = "nothing"


WORDS: dict[str, Wish] = {
    **dict.fromkeys(
        ("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "revoke"), Wish.STOP
    ),
    **dict.fromkeys(("start", "yes", "unstop"), Wish.START),
    **dict.fromkeys(("help", "info"), Wish.HELP),
}

REVOKING = re.compile(
    r"\b(stop|unsub|opt[ -]?(me )?out|quit|remove (me|my|this)|leave me|take me off|delete my"
    r"|no more (texts?|messages?|sms|reminders?)"
    r"|(do ?n.?t|do not|never) (\w+ ){0,2}(text|message|contact|write|call|send|remind)\w*"
    r"|wrong (number|person)"
    r"|abmeld|abbestell|austrag|loe?sch(t|en)\b|widerruf|widersp|falsche (nummer|person)|aufhoe?r"
    r"|hoe?r(t|en sie)? (\w+ ){0,3}auf\b|lass\w* (\w+ ){0,3}in ruhe"
    r"|keine (weiteren )?(\w+ )?(sms|nachricht|mitteilung|erinnerung)"
    r"|(nicht|nichts|nie) (mehr|wieder) (\w+ ){0,2}(\w*schreib|schick|send|kontaktier|erinner)"
    r"|(schreib|schick|send|ruf|kontaktier|erinner)\w* (\w+ ){0,4}(nicht|nichts|nie) mehr"
    r"|arret|desabonn|desinscri|plus de (messages?|sms|textos?)|mauvais numero|supprime"
    r"|(envoye|ecri|contacte)\w* plus"
    r"|baja\b|alto$|no mas\b|numero equivocado|dej\w+ de (mand|envi|escrib|contact)"
    r"|no (me|nos) (\w+ )?(escrib|mand|envi|contact))"
    # Arabic writes "and" and the article on to the word: توقف, and the others, are found within one as well.
    r"|توقف|اوقف|ايقاف|الغاء|الغوا|كفى|كفاي|لا (ترسل|تراسل|تتصل|اريد|نريد)|رقم (خاط|خطا|غلط)"
    r"|احذف|ازيل|عدم ال?ارسال"
)
"""How somebody asks for an end who does not know the word, in English, German, French, Spanish and Arabic, by
the bare letters. It may take in too much: a person reads it.
"""

NOT_SEEN = frozenset({"Mn", "Cf"})
TATWEEL = "\u0640"


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
    end make no difference.
    """
    told = WORDS.get(opt_out_type.strip().lower())
    if told is not None:
        return told
    said = _letters_of(body)
    word = said.strip("\"'`.,;:!?()[]*-_ ").replace("opt out", "optout").replace("stop all", "stopall")
    found = WORDS.get(word.replace("opt-out", "optout"))
    if found is not None:
        return found
    return Wish.REVOKES if REVOKING.search(said) else Wish.NOTHING


def _letters_of(body: str) -> str:
    """The bare letters: no capitals, widths, accents, vowel signs or marks of direction, and plain quotes."""
    parts = unicodedata.normalize("NFKD", body.replace("\u2019", "'").replace(TATWEEL, "")).casefold()
    seen = (one for one in parts if unicodedata.category(one) not in NOT_SEEN)
    return " ".join("".join(seen).split())
