"""Whether messages that the policy has held at Twilio are held, and the mend where they are sent at once."""

from deployments.findings import Finding
from duebell.ledger import hold_switch
from duebell.ledger.engine import reading
from duebell.policy_file.shapes import Kind, Manner
from duebell.resources import Resources

WHAT = "held messages"


def look(resources: Resources) -> list[Finding]:
    """One finding where any organisation's policy has messages held."""
    policy = resources.policy
    everyone = [policy, *policy.tenants.values()]
    if not any(one.of_kind(kind).sending is Manner.HOLD for one in everyone for kind in Kind):
        return []
    if not resources.settings.twilio_messaging_service_sid:
        mend = 'set TWILIO_MESSAGING_SERVICE_SID, or write sending = "strict" in the policy'
        return [Finding(WHAT, f"sent at once, because there is no Messaging Service: {mend}", sound=False)]
    with reading(resources.engine) as session:
        why = hold_switch.why_off(session)
    if why:
        return [Finding(WHAT, f"sent at once: {why}. `duebell resume` holds them again", sound=False)]
    return [Finding(WHAT, "held at Twilio until their time")]
