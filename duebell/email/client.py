"""What sending needs of an email provider, whichever it is."""

from typing import Protocol

from duebell.email.messages import EmailRequest, EmailState
from duebell.twilio.outcome import SendOutcome


class EmailClient(Protocol):
    """An email provider's interface. Safe to share between threads; nothing retries."""

    def send(self, request: EmailRequest) -> SendOutcome:
        """POST one email, once, and say what came of it. Raises only what happens before the POST."""
        ...

    def find(self, tag: str) -> tuple[EmailState, ...]:
        """The emails that are listed under an attempt's id. That none is listed proves nothing.

        Raises the errors of reading.
        """
        ...

    def fetch(self, sid: str) -> EmailState | None:
        """Where an accepted email stands, or ``None`` where the provider tells that by its events alone.

        Raises RecordNotFound and the errors of reading.
        """
        ...
