"""Doctor's lines on what people want: whether Twilio is told, and what it refuses."""

from deployments.findings import Finding
from duebell.ledger import consent_lines, mirror_switch
from duebell.ledger.engine import reading
from duebell.mirroring import Stands
from duebell.phone import redact
from duebell.resources import Resources
from duebell.senders import all_mirrored_senders

WHAT = "preferences"
SHOWN = 3


def look(resources: Resources) -> list[Finding]:
    """Nothing where the policy mirrors nothing. Asks nobody: the API cannot be read."""
    if not resources.policy.preferences.mirror_to_twilio:
        return []
    with reading(resources.engine) as session:
        off, counts = mirror_switch.why_off(session), consent_lines.counts(session)
        refused = consent_lines.refused(session, SHOWN)
    if off:
        said = f"{off}, or write mirror_to_twilio = false. {counts.get(Stands.OWED, 0)} wait; messages do not"
        return [Finding(WHAT, said, sound=False)]
    known = counts.get(Stands.TOLD, 0) + counts.get(Stands.HEARD, 0)
    senders = len(all_mirrored_senders(resources.policy, resources.settings))
    said = f"Twilio knows {known}, and {counts.get(Stands.OWED, 0)} are still to be told ({senders} senders)"
    return [
        Finding(WHAT, said),
        *(
            Finding(
                WHAT,
                f"Twilio does not take {row.status} of {redact(row.address)} for {row.sender} "
                f"({row.answer}): "
                "is it a sender of this account? It is tried again once a day",
                sound=False,
            )
            for row in refused
        ),
    ]
