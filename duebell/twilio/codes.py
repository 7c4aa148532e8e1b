"""What to do about each of Twilio's error codes: one table for the answer to a POST and for callbacks alike.

The same fault comes as an answer with a bare sender and as a callback with a Messaging Service (21610 does),
so both ask here. Twilio reserves the right to change codes (twilio.com/docs/api/errors has each one's page):
what the table does not know has a safe default, and nobody is ever marked as opted out by an unknown code.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

_CODE = re.compile(r"[0-9]{1,9}")


class Action(StrEnum):
    """What becomes of the message."""

    RETRY_LATER = "retry_later"
    SETTLE = "settle"
    GIVE_UP = "give_up"
    NEXT_CHANNEL = "next_channel"
    NUMBER_INVALID = "number_invalid"
    OPTED_OUT = "opted_out"
    CONFIGURATION = "configuration"
    DECIDE_ANEW = "decide_anew"


class Stops(StrEnum):
    """What nothing is sent to any more while a fault of ours lasts, so that no message is spent on it."""

    NOTHING = "nothing"
    DESTINATION = "destination"
    """The recipient's country."""
    ROUTE = "route"
    """The recipient's country, from this sender."""
    SENDER = "sender"
    """Everybody, from this sender."""
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a code means and what follows from it.

    ``fall_back``: once this channel is over (``RETRY_LATER``: after its retries), another one that the person
    accepts may take the message. ``retries`` new attempts at most, ``retry_after_minutes`` apart.
    ``DECIDE_ANEW``: it surely reached nobody and may have stopped being true meanwhile, so that it is decided
    anew, ``retries`` times. ``invalid_after``: a single occurrence proves nothing about the number, so many
    do, with nothing delivered between them, from the first to the last over ``invalid_over_days`` at least; 0
    for never. ``alert``: a person should look. ``CONFIGURATION`` without ``fall_back`` keeps the message for
    after the mend. ``stops``: what else waits for that.
    """

    action: Action
    meaning: str
    fall_back: bool = False
    alert: bool = False
    marks_opted_out: bool = False
    marks_invalid: bool = False
    invalid_after: int = 0
    invalid_over_days: int = 0
    retry_after_minutes: int | None = None
    retries: int = 0
    stops: Stops = Stops.NOTHING


def action_for(code: int | None, *, from_callback: bool, http_status: int | None = None) -> Ruling:
    """Rule on ``code``; ``None`` where Twilio named none. Total: every number has a ruling.

    ``http_status`` (of an answer) decides only where the code says nothing: an answer that refuses us as a
    caller is a fault of the setup, not of this one message; one that gave up waiting refuses nothing.
    """
    known = TABLE.get(code) if code is not None else None
    if from_callback:
        # A callback is itself the evidence of what became of the message: nothing is left to settle.
        return UNKNOWN_CALLBACK if known is None or known.action is Action.SETTLE else known
    if known is not None:
        return known
    if http_status in WAITED_TOO_LONG:
        return UNKNOWN_END
    return UNKNOWN_CALLER if http_status in (401, 403, 404, 405, 407) else UNKNOWN_ANSWER


def error_code(raw: object) -> int | None:
    """An error code from a number or its digits; ``None`` for nothing, for 0 and for anything else."""
    if isinstance(raw, bool) or not isinstance(raw, int | str) or not _CODE.fullmatch(str(raw)):
        return None
    return int(raw) or None


def _retry(
    meaning: str, minutes: int, retries: int = 1, *, fall_back: bool = True, alert: bool = False
) -> Ruling:
    return Ruling(Action.RETRY_LATER, meaning, fall_back, alert, retry_after_minutes=minutes, retries=retries)


def _config(meaning: str, *, fall_back: bool = False, stops: Stops = Stops.NOTHING) -> Ruling:
    return Ruling(Action.CONFIGURATION, meaning, fall_back, alert=True, stops=stops)


def _stop(meaning: str) -> Ruling:
    return _config(meaning, stops=Stops.CHANNEL)


def _bad_sender(meaning: str) -> Ruling:
    return _config(meaning, stops=Stops.SENDER)


def _closed(meaning: str, stops: Stops = Stops.ROUTE) -> Ruling:
    return _config(meaning, fall_back=True, stops=stops)


def _next(meaning: str, *, alert: bool = False, invalid_after: int = 0) -> Ruling:
    return Ruling(Action.NEXT_CHANNEL, meaning, fall_back=True, alert=alert, invalid_after=invalid_after)


def _invalid(meaning: str) -> Ruling:
    return Ruling(Action.NUMBER_INVALID, meaning, fall_back=True, marks_invalid=True)


def _settle(meaning: str) -> Ruling:
    return Ruling(Action.SETTLE, meaning, alert=True)


UNKNOWN_ANSWER = Ruling(Action.GIVE_UP, "refused for a reason we do not know", alert=True)
UNKNOWN_CALLER = _stop("refused before the message was looked at: check the account, its key and the URL")
UNKNOWN_END = _settle("the provider, or a gateway before it, waited too long")
UNKNOWN_CALLBACK = _next("not delivered for a reason we do not know", alert=True)

WAITED_TOO_LONG = frozenset({408, 499})
"""408 is a server's word (RFC 9110, 15.5.9), 499 nginx's: either may come after the request was passed on."""

DAILY_LIMIT = 63038
"""Comes by a 429 too (twilio/twilio-php#661), and lasts up to a day (twilio.com/docs/api/errors/63038)."""

TABLE: dict[int, Ruling] = {
    11200: _config("Twilio could not read our webhook's answer"),
    11205: _config("Twilio could not connect to our webhook"),
    11210: _config("Twilio could not resolve our webhook's host"),
    11220: _config("Twilio could not agree on TLS with our webhook"),
    11237: _config("Twilio does not trust our webhook's certificate"),
    14107: _config("two numbers answer each other in a loop"),
    20001: _config("a parameter or a date that Twilio cannot read"),
    20003: _stop("wrong credentials, wrong account, restricted key or suspended account"),
    20004: _stop("the method is not allowed there"),
    20005: _stop("the account is not active"),
    20008: _stop("test credentials cannot do this"),
    20009: _retry("the message is not complete yet, so it cannot be deleted", 1, 5, fall_back=False),
    20010: _stop("Twilio has disabled this for the account: ask its support"),
    20403: _stop("these credentials may not do this"),
    20404: _stop("no such account, service or resource"),
    20422: _config("an invalid parameter"),
    20429: _retry("too many requests at once; nothing was processed", 1, 5),
    20500: _settle("Twilio failed while it worked on the request"),
    20503: _settle("Twilio was not available while it worked on the request"),
    21211: _invalid("not a phone number that can be texted"),
    21212: _bad_sender("the sender is not a valid number or name"),
    21214: _invalid("the number cannot be reached"),
    21265: _invalid("the recipient is a short code"),
    21266: _invalid("the recipient is the sender itself"),
    21408: _closed("the recipient's country is not enabled in Geo Permissions", Stops.DESTINATION),
    21601: _bad_sender("the sender cannot send text messages"),
    21602: _config("the message has no body", fall_back=True),
    21603: _bad_sender("the message has no sender"),
    21606: _closed("the sender is not ours, or cannot text this destination"),
    21608: _config("a trial account, or one without compliance profile, texts verified numbers only"),
    21609: _stop("the status callback's URL is refused"),
    21610: Ruling(Action.OPTED_OUT, "the recipient opted out", fall_back=True, marks_opted_out=True),
    21611: _retry("the sender's queue is full for ten hours", 600, alert=True),
    21612: _next("no route from this sender to this recipient", alert=True),
    21614: _invalid("not a mobile number"),
    21617: _config("the body is longer than 1,600 characters", fall_back=True),
    21619: _config("the message cannot be made from this body and media", fall_back=True),
    21620: _config("a media URL is invalid", fall_back=True),
    21623: _config("too many media URLs", fall_back=True),
    21624: _config("the validity period is outside 1 to 36,000 seconds"),
    21635: _invalid("a landline"),
    21654: _config("content variables without a content template", fall_back=True),
    21655: _config("no such content template", fall_back=True),
    21656: _config("the content variables are not valid", fall_back=True),
    21657: _closed("the sender's name is not supported in the recipient's country"),
    21658: _config("a parameter has too many characters", fall_back=True),
    21660: _bad_sender("the sender belongs to another account"),
    21701: _bad_sender("no such Messaging Service"),
    21703: _closed("the Messaging Service has no sender for this destination"),
    21704: _bad_sender("the Messaging Service has no sender at all"),
    21705: _bad_sender("the Messaging Service is not valid"),
    21709: _bad_sender("the Messaging Service may not use an alphanumeric sender"),
    30001: _retry("the queue overflowed", 240, alert=True),
    30002: _stop("the account was suspended after the message was queued"),
    30003: replace(_retry("the phone is off or out of reach", 720, 2), invalid_after=3, invalid_over_days=3),
    30004: _next("the recipient or the carrier blocks us; a toll-free opt-out looks the same"),
    30005: _next("the number is unknown, or its phone is off", invalid_after=2),
    30006: _invalid("a landline, or a carrier that cannot be reached"),
    30007: _next("filtered as unwanted: look at the text and the sender's registration", alert=True),
    30008: _retry("not delivered, and the carrier gave no reason", 15),
    30010: Ruling(Action.GIVE_UP, "dearer than the price limit of the message", alert=True),
    30011: _next("the recipient's network takes no MMS"),
    30017: _retry("the carrier's network is congested", 60),
    30018: _closed("the country wants a registered sender"),
    30019: _next("too large for the carrier"),
    30022: _retry("over the campaign's rate limit", 60),
    30023: _retry("over the brand's daily limit", 1440),
    30024: _closed("the sender is not set up at the carrier"),
    30027: _retry("over T-Mobile's daily limit, which ends at midnight US Pacific time", 1440),
    30032: _closed("the toll-free sender is not verified"),
    30034: _closed("the sender belongs to no registered campaign"),
    30035: _closed("the sender's campaign is still being registered"),
    30036: Ruling(Action.DECIDE_ANEW, "the message expired in the queue", fall_back=True, retries=2),
    30038: Ruling(Action.GIVE_UP, "an inbound message was filtered as a one-time password"),
    30039: Ruling(Action.GIVE_UP, "an inbound message was filtered as part of a loop"),
    30042: _closed("the sender's name is too generic or has special characters"),
    30044: _config("more segments than a trial account may send", fall_back=True),
    30047: _retry("the Compliance Toolkit could not reschedule it; it was not sent", 60),
    30410: _next("the provider timed out; it may have arrived, so it is not texted again", alert=True),
    30450: _retry("held back by the protection against SMS pumping", 60),
    30453: Ruling(Action.GIVE_UP, "blocked as fraud", alert=True),
    30454: _stop("over the messages that a trial account may send: upgrade the account"),
    30610: _retry("the recipient's quiet hours, as the Compliance Toolkit sees them", 720),
    30640: Ruling(
        Action.OPTED_OUT, "a known litigator, never to be texted", alert=True, marks_opted_out=True
    ),
    30646: _config("a consent record was refused; its own messages say why"),
    30647: _config("a contact record was refused; its own messages say why"),
    35111: _config("a scheduled message without the time to send it at"),
    # These three refuse a scheduled message that comes too late: it exists nowhere and gets a new time.
    35114: _retry("the time to send at is too near or too far", 1, 5, alert=True),
    35115: _retry("the time to send at is too near or too far", 1, 5, alert=True),
    35117: _retry("the time to send at is too near or too far", 1, 5, alert=True),
    35118: _config("a scheduled message without Messaging Service"),
    35125: _config("too many scheduled messages"),
    63003: _next("the channel does not know this address"),
    63016: _next("the channel's conversation window is closed"),
    63018: _retry("over the channel's rate limit", 60),
    63024: _next("the channel does not take this recipient"),
    63036: _next("the recipient cannot be reached by RCS"),
    DAILY_LIMIT: _stop("over the account's limit of messages in 24 hours: ask Twilio to raise it"),
    90007: _config("the validity period is outside 1 to 36,000 seconds"),
    90010: _stop("the account is not active"),
}
