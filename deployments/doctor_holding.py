"""Whether messages that the policy has held by their provider are held, and the mend where they are not."""

from deployments.findings import Finding
from duebell.ledger import hold_switch
from duebell.ledger.engine import reading
from duebell.policy.reaching import EMAIL, SMS
from duebell.policy_file.shapes import Channel, Kind, Manner
from duebell.resources import Resources
from duebell.sending.holding import channels_that_hold

WHAT = "held messages"


def look(resources: Resources) -> list[Finding]:
    """What there is to say where any organisation's policy has messages held."""
    policy = resources.policy
    everyone = [policy, *policy.tenants.values()]
    sections = [one.of_kind(kind) for one in everyone for kind in Kind]
    held = [one for one in sections if one.sending is Manner.HOLD]
    if not held:
        return []
    able, emails = channels_that_hold(resources.settings, policy), policy.hold.emails
    found = list[Finding]()
    if SMS not in able and (not emails or any(Channel.SMS in one.channels for one in held)):
        mend = 'set TWILIO_MESSAGING_SERVICE_SID, or write sending = "strict" in the policy'
        text = f"sent at once, because there is no Messaging Service: {mend}"
        found.append(Finding(WHAT, text, sound=False))
    if EMAIL not in able and emails and any(Channel.EMAIL in one.channels for one in held):
        mend = "set EMAIL_PROVIDER=sendgrid, or write emails = false under [hold] in the policy"
        text = f"emails are not held, because it is not SendGrid that sends them: {mend}"
        found.append(Finding(WHAT, text, sound=False))
    return found or [_by_the_switch(resources, able)]


def _by_the_switch(resources: Resources, able: frozenset[str]) -> Finding:
    with reading(resources.engine) as session:
        why = hold_switch.why_off(session)
    if why:
        return Finding(WHAT, f"sent at once: {why}. `duebell resume` holds them again", sound=False)
    where = [name for channel, name in ((SMS, "Twilio"), (EMAIL, "SendGrid")) if channel in able]
    return Finding(WHAT, f"held at {' and '.join(where) or 'no provider'} until their time")
