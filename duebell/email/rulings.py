"""What follows from what became of an email for the address that it went to.

Literal tables, by the words of ``sendgrid_events`` and of Twilio's Email API. A word that is not in them asks
for nothing: nobody is marked by a word that we do not know.
"""

from duebell.email.twilio_email import is_email_sid
from duebell.twilio.codes import Action, Ruling


def _invalid(meaning: str) -> Ruling:
    return Ruling(Action.NUMBER_INVALID, meaning, fall_back=True, marks_invalid=True)


def _opted_out(meaning: str, *, fall_back: bool = False) -> Ruling:
    return Ruling(Action.OPTED_OUT, meaning, fall_back, marks_opted_out=True)


# twilio.com/docs/sendgrid/for-developers/tracking-events/event, and
# twilio.com/docs/sendgrid/glossary/{bounces,blocks,drops}. A spam report or an unsubscription comes from
# somebody who has the email: it is an opt-out and no failure, so nothing falls back to another channel.
TABLE: dict[str, Ruling] = {
    "bounce": _invalid("the recipient's server knows no such address"),
    "blocked": Ruling(Action.NEXT_CHANNEL, "the recipient's server refused it this time", fall_back=True),
    "dropped": Ruling(Action.NEXT_CHANNEL, "SendGrid did not send it", fall_back=True, alert=True),
    "dropped_bounced": _invalid("SendGrid did not send it: the address bounced before"),
    "dropped_invalid": _invalid("SendGrid did not send it: not a valid address"),
    "dropped_unsubscribed": _opted_out(
        "SendGrid did not send it: the recipient unsubscribed", fall_back=True
    ),
    "dropped_spam_report": _opted_out("SendGrid did not send it: a complaint of spam", fall_back=True),
    "spamreport": _opted_out("the recipient marked it as spam"),
    "unsubscribe": _opted_out("the recipient unsubscribed"),
    "group_unsubscribe": _opted_out("the recipient unsubscribed from this group"),
}


# It tells no cause (twilio.com/docs/email/api/reference/mail-send-resource): what comes back again and again
# over days is counted as for a phone that is out of reach. What failed never left Twilio.
OF_EMAIL_API: dict[str, Ruling] = {
    "undelivered": Ruling(
        Action.NEXT_CHANNEL,
        "Twilio could not deliver it, and does not say why",
        fall_back=True,
        invalid_after=3,
        invalid_over_days=3,
    ),
    "failed": Ruling(
        Action.NEXT_CHANNEL, "Twilio did not send it, and does not say why", fall_back=True, alert=True
    ),
}
"""The words of Twilio's Email API. SMS have the same ones, and bring a code with them."""


def ruling_of(word: str, sid: str) -> Ruling | None:
    """What follows from the word for the email that is known by this id, or ``None`` where nothing does."""
    return (OF_EMAIL_API if is_email_sid(sid) else TABLE).get(word)


def in_words(word: str) -> str | None:
    """What the word for an email means, or ``None`` where we do not know it."""
    ruling = TABLE.get(word) or OF_EMAIL_API.get(word)
    return ruling.meaning if ruling is not None else None
