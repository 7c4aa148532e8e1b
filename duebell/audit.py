"""The chain of the audit trail: every entry's hash covers the entry before it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

START = "0" * 64
"""What the first entry points back to."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what to which subject.

    ``actor`` is ``receiver``, a flow's or a command's name, or ``person:<name>``. ``details`` holds codes,
    states, ids and counts; names, addresses and amounts stand in the tables that the subject points to.
    """

    actor: str
    action: str
    subject_type: str
    subject_id: str
    tenant_id: str | None = None
    flow_run_id: str | None = None
    details: Mapping[str, str | int | float | bool | None] = field(default_factory=dict[str, str])


def written(details: Mapping[str, str | int | float | bool | None]) -> str:
    """The details as the trail keeps them: JSON with its keys in order."""
    return json.dumps(dict(details), sort_keys=True, separators=(",", ":"))


def entry_hash(previous_hash: str, at: datetime, entry: Entry, details: str) -> str:
    """The SHA-256, in hex, of an entry and of the hash before it. ``at`` is taken in UTC."""
    parts = (
        previous_hash,
        at.astimezone(UTC).isoformat(timespec="microseconds"),
        entry.actor,
        entry.action,
        entry.subject_type,
        entry.subject_id,
        entry.tenant_id or "",
        entry.flow_run_id or "",
        details,
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def first_break(chain: Iterable[tuple[int, str, str, str]]) -> int | None:
    """The sequence of the first entry that does not follow from the one before it, or ``None``.

    Each link is (sequence, previous hash as kept, hash as kept, hash as computed from the row).
    """
    before: str | None = None
    for sequence, previous_hash, kept, computed in chain:
        if kept != computed or (before is not None and previous_hash != before):
            return sequence
        before = kept
    return None
