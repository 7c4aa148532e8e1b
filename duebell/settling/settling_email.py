"""What Twilio's Email API says of an email, whoever sends now: the provider may have been changed, or email
turned off, while it was under way. SendGrid tells of an email by its events alone.
"""

from duebell.email.messages import EmailState
from duebell.email.twilio_email import is_email_sid
from duebell.errors import ConfigurationError, Permanent
from duebell.resources import Resources
from duebell.settings import EmailProvider


def email_of_attempt(resources: Resources, attempt_id: str) -> EmailState | None:
    """The one email that carries our attempt's id; several would be a doubt that a person has to clear.

    Raises what reading Twilio raises.
    """
    try:
        listed = resources.twilio_email().find(attempt_id)
    except (Permanent, ConfigurationError):
        if resources.settings.email_provider is EmailProvider.TWILIO:
            raise
        return None  # SendGrid sends now, and perhaps always did: the account need not have emails at Twilio
    return listed[0] if len(listed) == 1 else None


def email_of_sid(resources: Resources, sid: str) -> EmailState | None:
    """Where an email stands that was taken under this id; ``None`` where it was SendGrid that took it.

    Raises what reading Twilio raises.
    """
    return resources.twilio_email().fetch(sid) if is_email_sid(sid) else None
