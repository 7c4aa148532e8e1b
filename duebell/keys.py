"""The dedup key: one readable string per thing that one person is told, made of business facts alone.

No phone number, no channel, no text and no time of day goes in, so that a changed number, another channel
order or a better wording never tells a person twice.
"""

from duebell.errors import Permanent

INVOICE_ISSUED = "invoice_issued"
PAYMENT_RECEIVED = "payment_received"
INVOICE_OVERDUE = "invoice_overdue"


def contact_recipient(contact_id: str) -> str:
    """The recipient part for a customer."""
    return f"contact:{contact_id}"


def is_contact(recipient: str) -> bool:
    """Whether the recipient part is a customer's; an empty one is from before there were others."""
    return not recipient or recipient.startswith("contact:")


def team_recipient(name: str) -> str:
    """The recipient part for a team of the business itself."""
    return f"team:{name}"


def dedup_key(
    tenant_id: str, kind: str, subject_id: str, recipient: str, *, step: str = "", generation: int = 0
) -> str:
    """``<tenant>:<kind>:<subject>:<step>:<recipient>``, with ``#<generation>`` for a forced re-send.

    Raises ``Permanent`` for a part that could be read as two.
    """
    for part in (tenant_id, kind, subject_id, step):
        if ":" in part or "#" in part:
            raise Permanent(f"a dedup key cannot hold ':' or '#' in a part, and {part!r} does")
    if "#" in recipient:
        raise Permanent(f"a dedup key cannot hold '#' in a part, and {recipient!r} does")
    key = f"{tenant_id}:{kind}:{subject_id}:{step}:{recipient}"
    return f"{key}#{generation}" if generation else key
