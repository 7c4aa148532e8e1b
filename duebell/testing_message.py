"""One test message to an operator's own number, to see that Twilio and the sender work."""

from duebell.audit import Entry
from duebell.errors import Permanent
from duebell.ledger import tenants
from duebell.ledger.writing import writing
from duebell.phone import parse_e164, redact
from duebell.resources import Resources
from duebell.twilio.messages import SmsRequest
from duebell.twilio.outcome import Accepted, NotProcessed, Refused, Unknown

TEXT = "Duebell: this is the test message that you asked for. Your sender works."


def send_test(resources: Resources, to: str, *, by: str) -> str:
    """Send it once, and say what Twilio made of it. Raises ``Permanent`` while the brake is on."""
    number = parse_e164(to)
    if tenants.brakes(resources.engine):
        raise Permanent("sending is stopped: run `duebell resume` first")
    settings = resources.settings
    outcome = resources.twilio().send(
        SmsRequest(
            to=number,
            body=TEXT,
            messaging_service_sid=settings.twilio_messaging_service_sid or None,
            from_=settings.twilio_from or None,
        )
    )
    match outcome:
        case Accepted(sid=sid, status=status):
            words = f"Twilio took it ({status.value}) as {sid}: it should arrive within a minute."
        case Refused(code=code):
            words = f"Twilio refused it: code {code}, {outcome.ruling.meaning}."
        case NotProcessed(cause=cause):
            words = f"Twilio could not be reached ({cause}): nothing was sent."
        case Unknown(cause=cause):
            words = (
                f"Twilio gave no answer ({cause}): look at your phone and at Twilio's log before another try."
            )
    with writing(resources.engine, resources.clock()) as book:
        kind = type(outcome).__name__.lower()
        book.audit(Entry(by, "test message", "address", redact(number), details={"outcome": kind}))
    return words
