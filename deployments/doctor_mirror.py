"""Doctor's lines on what people want: whether Twilio is told, and what it refuses."""

from datetime import timedelta

from deployments.findings import Finding
from duebell.deciding.senders import all_mirrored_senders
from duebell.ledger import consent_lines, group_stops, late_lines, mirror_switch
from duebell.ledger.engine import reading
from duebell.ledger.group_stops import MEND, GroupStop
from duebell.phone import redact
from duebell.preferences import group_numbers
from duebell.preferences.mirroring import Stands
from duebell.resources import Resources

WHAT = "preferences"
SHOWN = 3
A_DAY = timedelta(days=1)
"""What is to be told for longer, though it was tried, is for a person to look at."""


def look(resources: Resources) -> list[Finding]:
    """Nothing where the policy mirrors nothing. Asks nobody: the API cannot be read."""
    if not resources.policy.preferences.mirror_to_twilio:
        return []
    with reading(resources.engine) as session:
        off, counts = mirror_switch.why_off(session), consent_lines.counts(session)
        refused = consent_lines.refused(session, SHOWN)
        late = late_lines.consents(session, resources.clock() - A_DAY)
    if off:
        said = f"{off}, or write mirror_to_twilio = false. {counts.get(Stands.OWED, 0)} wait; messages do not"
        return [Finding(WHAT, said, sound=False)]
    known = counts.get(Stands.TOLD, 0) + counts.get(Stands.HEARD, 0)
    senders = len(all_mirrored_senders(resources.policy, resources.settings))
    said = f"Twilio knows {known}, and {counts.get(Stands.OWED, 0)} are still to be told ({senders} senders)"
    if late:
        said += f"; {late} of them for more than a day, though it was tried: does Twilio answer at all?"
    return [
        Finding(WHAT, said, sound=not late),
        *_by_group(resources),
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


def _by_group(resources: Resources) -> list[Finding]:
    """Numbers that Twilio blocks for a group though it is left, or another customer shares the number."""
    with reading(resources.engine) as session:
        stops = group_stops.standing(session)
    if not stops:
        return []
    groups = group_numbers.look(resources)
    wrong = [one for one in stops if groups.is_wrong(one)]
    found = [Finding(WHAT, _said_of(one), sound=False) for one in wrong[:SHOWN]]
    if len(wrong) > SHOWN:
        more = (
            f"{len(wrong) - SHOWN} more numbers are blocked so: they stand here once those above are settled"
        )
        found.append(Finding(WHAT, more, sound=False))
    return found


def _said_of(stop: GroupStop) -> str:
    why = "which is in none any more" if stop.is_left else "though another customer has that number too"
    return (
        f"Twilio blocks {redact(stop.address)} for contact {stop.contact_id}, that was put into a group of "
        f"no_messages_groups, {why}. {MEND}"
    )
