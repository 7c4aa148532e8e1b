"""One test message to an operator's own number, to see that Twilio and the sender work."""

from duebell.audit import Entry
from duebell.deciding.senders import sender_for, sender_of, service_or_number
from duebell.errors import Permanent, Transient
from duebell.ledger.writing import writing
from duebell.phone import parse_e164, redact
from duebell.policy.reaching import SMS
from duebell.policy.rules import NO_RULE
from duebell.resources import Resources
from duebell.sending.stopping import stopped
from duebell.twilio.messages import SmsRequest
from duebell.twilio.outcome import Accepted, NotProcessed, Refused, SendOutcome, Unknown

TEXT = "Duebell: this is the test message that you asked for. Your sender works."

VALIDITY_SECONDS = 600
"""At whatever hour it is asked for, it comes while its operator looks at the phone, or not at all."""


def send_test(resources: Resources, to: str, *, by: str) -> str:
    """Send it once, from the sender of what no rule gives another, and say that Twilio took it.

    Raises ``Permanent`` while all sending is stopped, where Twilio refuses it, and where nobody knows whether
    it was sent; ``Transient`` where nothing was sent; ``ConfigurationError`` where ``to`` is no number.
    """
    number = parse_e164(to)
    if any(not one.tenant_id for one in stopped(resources.engine)):
        raise Permanent("sending is stopped: run `duebell resume` first")
    named = sender_for(resources.policy, NO_RULE, SMS, number)
    service, from_ = service_or_number(sender_of(resources.settings, SMS, named))
    outcome = resources.twilio().send(
        SmsRequest(
            to=number,
            body=TEXT,
            messaging_service_sid=service,
            from_=from_,
            validity_seconds=VALIDITY_SECONDS,
        )
    )
    with writing(resources.engine, resources.clock()) as book:
        kind = type(outcome).__name__.lower()
        book.audit(Entry(by, "test message", "address", redact(number), details={"outcome": kind}))
    return told(outcome)


def told(outcome: SendOutcome) -> str:
    """What a person reads of a message that Twilio took; anything else is raised, see ``send_test``."""
    match outcome:
        case Accepted(sid=sid, status=status):
            return f"Twilio took it ({status.value}) as {sid}: it should arrive within a minute."
        case Refused(code=code):
            raise Permanent(f"Twilio refused it: code {code}, {outcome.ruling.meaning}.")
        case NotProcessed(cause=cause):
            raise Transient(f"Twilio did not take it ({cause}): nothing was sent.")
        case Unknown(cause=cause):
            raise Permanent(
                f"Twilio gave no answer ({cause}): look at your phone and at Twilio's log before another try."
            )
