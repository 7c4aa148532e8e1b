"""Whether a message is given to its provider to hold, and what is noticed where that does not play along."""

from datetime import datetime, timedelta

from duebell.audit import Entry
from duebell.deciding.deciding import Rules
from duebell.deciding.senders import SenderKind, kind_of
from duebell.hours.scheduling import time_to_send
from duebell.hours.validity import LEAST_ROOM
from duebell.ledger import batches, hold_switch
from duebell.ledger.attempts import Intent
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.tables import Leg, Notification
from duebell.ledger.writing import Writing
from duebell.policy.reaching import EMAIL, SMS
from duebell.policy_file.policy import Policy
from duebell.policy_file.shapes import Manner
from duebell.sending.looking_again import StillTrue
from duebell.settings import EmailProvider, Settings
from duebell.states import AttemptState

SCHEDULE_REFUSED = frozenset({35111, 35114, 35115, 35117, 35118, 35125})
"""What Twilio says of a time that it does not take; nothing exists then (duebell.twilio.codes)."""

NO_SERVICE = "no Messaging Service: set TWILIO_MESSAGING_SERVICE_SID"
NO_SENDGRID = "Twilio's Email API holds no emails: SendGrid does (EMAIL_PROVIDER)"
ENOUGH_EMAILS = f"{batches.MOST_HELD} emails are held already, and SendGrid takes no more back at once"
OTHER_SENDER = "a rule names a sender that is no Messaging Service"
HOURS_TOO_SHORT = "the hours for it are shorter than it would be held"


def channels_that_hold(settings: Settings, policy: Policy) -> frozenset[str]:
    """The channels by which a provider can hold messages, as things are set up."""
    by_sendgrid = settings.sends_email and settings.email_provider is EmailProvider.SENDGRID
    sms = {SMS} if settings.twilio_messaging_service_sid else set[str]()
    return frozenset(sms | ({EMAIL} if by_sendgrid and policy.hold.emails else set[str]()))


def heard_at(now: datetime, row: Notification, leg: Leg, rules: Rules) -> datetime:
    """When the message of a notification that is begun now is heard, so that it says what is true then."""
    held = rules.held_for(row.tenant_id, row.kind, forced=row.generation > 0)
    return now + held.get(leg.channel, timedelta())


def send_at_of(book: Writing, row: Notification, leg: Leg, found: StillTrue, rules: Rules) -> datetime | None:
    """When its provider is to send the message; ``None`` for one that is sent at once.

    Where the policy would have it held and it cannot be, the trail says why.
    """
    forced = row.generation > 0
    wanted = rules.policy.for_tenant(row.tenant_id).of_kind(row.kind).sending is Manner.HOLD
    if not wanted or forced or (leg.channel == EMAIL and not rules.policy.hold.emails):
        return None
    send_at = time_to_send(book.now, rules.policy.hold)
    why_not = _why_at_once(book, send_at, leg, found, rules)
    if why_not:
        details = {"why": why_not}
        book.audit(
            Entry("send", "sent at once", "notification", row.key, row.tenant_id, row.flow_run_id, details)
        )
        return None
    return send_at


def _why_at_once(book: Writing, send_at: datetime, leg: Leg, found: StillTrue, rules: Rules) -> str:
    if leg.channel not in rules.schedules:
        return NO_SENDGRID if leg.channel == EMAIL else NO_SERVICE
    if leg.channel == SMS and leg.sender and kind_of(leg.sender) is not SenderKind.SERVICE:
        return OTHER_SENDER
    if leg.channel == EMAIL and batches.held(book.session, book.now) >= batches.MOST_HELD:
        return ENOUGH_EMAILS
    fits = found.open_until is None or send_at + LEAST_ROOM <= found.open_until
    return hold_switch.why_off(book.session) or ("" if fits else HOURS_TOO_SHORT)


def notice_refusal(book: Writing, intent: Intent, known: Conclusion) -> None:
    """Hold nothing more where Twilio refuses a time that reached it as early as it was meant to.

    One that came late, from a process that had stood still, is refused as it should be.
    """
    in_time = intent.send_at is not None and book.now < intent.lease_until
    if in_time and known.attempt is AttemptState.REFUSED and known.error_code in SCHEDULE_REFUSED:
        why = (
            f"Twilio refused a time to send, code {known.error_code}: raise lead_minutes of the policy's hold"
        )
        hold_switch.take_off(book, why)
