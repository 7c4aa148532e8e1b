"""The dedup key: one readable string per thing that one person is told, made of business facts alone.

No phone number, no channel, no text and no time of day goes in, so that a changed number, another channel
order or a better wording never tells a person twice.
"""

import hashlib
from dataclasses import dataclass

from duebell.email.addresses import folded
from duebell.errors import Permanent

INVOICE_ISSUED = "invoice_issued"
PAYMENT_RECEIVED = "payment_received"
INVOICE_OVERDUE = "invoice_overdue"
NEEDS_ATTENTION = "needs_attention"
"""What a team of the business is told that no customer is."""

OF_HASH = 16
"""Digits of the hash by which a person is known: no two of any customer's few will ever share them."""


def contact_recipient(contact_id: str) -> str:
    """The recipient part for a customer."""
    return f"contact:{contact_id}"


def person_recipient(contact_id: str, person: str) -> str:
    """The recipient part for a further person at a customer, who is known by ``address_hash``."""
    return f"{contact_recipient(contact_id)}/{person}"


def person_of(recipient: str) -> str:
    """The hash in a recipient part, where it is a further person's; else nothing."""
    return recipient.partition("/")[2] if is_contact(recipient) else ""


def address_hash(address: str) -> str:
    """What stands for an email address in a key: the same however its capitals are typed."""
    return hashlib.sha256(folded(address).encode()).hexdigest()[:OF_HASH]


def is_contact(recipient: str) -> bool:
    """Whether the recipient part is a customer's; an empty one is from before there were others."""
    return not recipient or recipient.startswith("contact:")


def team_recipient(name: str) -> str:
    """The recipient part for a team of the business itself."""
    return f"team:{name}"


AGAIN = "#"
"""What stands before the generation in the key of a forced re-send."""


def dedup_key(tenant_id: str, kind: str, subject_id: str, recipient: str, *, step: str = "") -> str:
    """``<tenant>:<kind>:<subject>:<step>:<recipient>``.

    Raises ``Permanent`` for a part that could be read as two.
    """
    for part in (tenant_id, kind, subject_id, step):
        if ":" in part or AGAIN in part:
            raise Permanent(f"a dedup key cannot hold ':' or '#' in a part, and {part!r} does")
    if AGAIN in recipient:
        raise Permanent(f"a dedup key cannot hold '#' in a part, and {recipient!r} does")
    return f"{tenant_id}:{kind}:{subject_id}:{step}:{recipient}"


def first_key(key: str) -> str:
    """The key under which something was owed before anybody had it said again."""
    return key.partition(AGAIN)[0]


def resend_key(key: str, generation: int) -> str:
    """The key of a forced re-send, the ``generation``-th from 1, of what is owed under ``key``."""
    return f"{first_key(key)}{AGAIN}{generation}"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a dedup key is made of."""

    tenant_id: str
    kind: str
    subject_id: str
    step: str
    recipient: str
    generation: int


def parts_of(key: str) -> Parts:
    """Read a key that ``dedup_key`` or ``resend_key`` made."""
    base, _, generation = key.partition(AGAIN)
    return Parts(*base.split(":", 4), generation=int(generation or 0))
