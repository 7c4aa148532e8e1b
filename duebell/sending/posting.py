"""One POST to the provider of the channel that an attempt goes by."""

from dataclasses import replace
from functools import cached_property

from duebell.deciding.senders import sender_of, service_or_number
from duebell.email.addresses import mailbox
from duebell.email.client import EmailClient
from duebell.email.messages import EmailRequest
from duebell.errors import ConfigurationError
from duebell.hours.validity import validity_seconds
from duebell.ledger.attempts import Intent
from duebell.ledger.tables import Leg
from duebell.policy.reaching import EMAIL, SMS
from duebell.resources import Resources
from duebell.settings import Settings
from duebell.twilio.callbacks import callback_url
from duebell.twilio.messages import SmsRequest
from duebell.twilio.outcome import NotProcessed, SendOutcome


class Poster:
    """Posts what is to be said, each by its channel. What may fail, fails before an attempt stands: making
    it, and ``check``.
    """

    def __init__(self, resources: Resources) -> None:
        """Raises ``ConfigurationError`` where SMS lacks its credentials."""
        self._resources = resources
        self._settings = resources.settings
        self._clock = resources.clock
        self._twilio = resources.twilio()

    def check(self, leg: Leg) -> None:
        """Raise ``Permanent`` or ``ConfigurationError`` for what no provider would be asked to send, or where
        its channel lacks its credentials.
        """
        self._request("check", leg)

    def post(self, intent: Intent) -> SendOutcome:
        """POST once; what came of it is the outcome, never an error."""
        if self._clock() >= intent.lease_until:
            # A process that stood still since it wrote the attempt down: others hold the attempt for lost.
            return NotProcessed("its lease was over before it was posted")
        request = self._request(intent.attempt_id, intent)
        if isinstance(request, SmsRequest):
            return self._post_sms(request, intent)
        if intent.send_at is None:
            return self._email.send(request)
        if not intent.batch_id:
            return NotProcessed("it has no batch to be taken back by")
        return self._email.send(replace(request, send_at=intent.send_at, batch_id=intent.batch_id))

    def _post_sms(self, request: SmsRequest, intent: Intent) -> SendOutcome:
        validity = validity_seconds(intent.open_until, intent.send_at or self._clock())
        if validity is None:
            return NotProcessed("the hours for it were over before it was posted")
        return self._twilio.send(replace(request, validity_seconds=validity, send_at=intent.send_at))

    @cached_property
    def _email(self) -> EmailClient:
        # Made for a leg of email alone: what email lacks stops no SMS.
        return self._resources.email()

    def _request(self, tag: str, what: Leg | Intent) -> SmsRequest | EmailRequest:
        if what.channel != EMAIL:
            return _sms(self._settings, tag, what)
        _ = self._email
        sender = mailbox(sender_of(self._settings, EMAIL, what.sender))
        if sender is None:
            raise ConfigurationError("EMAIL_FROM must be an address, or Name <address>, on one line")
        return EmailRequest(
            to=what.address, from_=sender, subject=what.email_subject, text=what.text, html=what.html, tag=tag
        )


def _sms(settings: Settings, attempt_id: str, what: Leg | Intent) -> SmsRequest:
    service, number = service_or_number(sender_of(settings, SMS, what.sender))
    on_this_machine = settings.twilio_api_url.startswith(("http://127.0.0.1", "http://localhost"))
    return SmsRequest(
        to=what.address,
        body=what.text,
        messaging_service_sid=service,
        from_=number,
        # Twilio would list another text than was sent, and a lost answer could not be found again by it; what
        # it would replace, segments.plain has replaced.
        smart_encoded=False,
        status_callback=callback_url(settings.public_url, attempt_id, allow_loopback=on_this_machine),
    )
