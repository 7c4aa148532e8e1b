"""What sending needs of an email provider, whichever it is."""

from typing import Protocol

from duebell.email.messages import EmailRequest
from duebell.twilio.outcome import SendOutcome


class EmailClient(Protocol):
    """An email provider's interface. Safe to share between threads; nothing retries."""

    def send(self, request: EmailRequest) -> SendOutcome:
        """POST one email, once, and say what came of it. Raises only what happens before the POST."""
        ...
