"""What follows from each of SendGrid's events for the address that an email went to.

One literal table, by the words of ``sendgrid_events``. A word that is not in it asks for nothing: nobody is
marked by a word that we do not know.
"""

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


def ruling_of(word: str) -> Ruling | None:
    """What follows from an event's word, or ``None`` where nothing does."""
    return TABLE.get(word)
