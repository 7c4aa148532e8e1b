"""What was left to a person is looked for once more, for as long as its provider may tell of it."""

from duebell.errors import RecordNotFound
from duebell.ledger import unsettled
from duebell.ledger.engine import reading
from duebell.ledger.unsettled import Unsettled
from duebell.ledger.writing import writing
from duebell.resources import Resources
from duebell.settings import EmailProvider
from duebell.settling.confirming import ASK_FOR_EMAILS_UNTIL, ASK_UNTIL
from duebell.settling.settling import Settled, bind, look


def parked(resources: Resources) -> list[Unsettled]:
    """What was left to a person and Twilio may tell of by now: emails that its Email API may list, and
    messages that it did not know, as with another account's credentials.
    """
    settings, now = resources.settings, resources.clock()
    has_list = settings.sends_email and settings.email_provider is EmailProvider.TWILIO
    with reading(resources.engine) as session:
        emails = unsettled.parked_emails(session, after=now - ASK_FOR_EMAILS_UNTIL) if has_list else []
        return [*unsettled.parked_with_sid(session, after=now - ASK_UNTIL), *emails]


def look_for_parked(resources: Resources, attempt: Unsettled) -> Settled:
    """Look once more. An email's tag stays proof for as long as its provider keeps the email, however late
    its list has it, and so does a SID. Raises what reading the provider raises.
    """
    try:
        message = look(resources, attempt).found
    except RecordNotFound:
        message = None
    if message is None:
        return Settled(attempt.attempt_id, "still left to a person")
    with writing(resources.engine, resources.clock()) as book:
        bind(book, attempt, message)
        return Settled(attempt.attempt_id, "found", message.raw_status)
