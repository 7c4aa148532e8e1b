"""What a verdict rested on, written down so that the same verdict can be made from it again."""

import json
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from duebell.deciding.deciding import Basis
from duebell.deciding.known import Known, addresses_of
from duebell.deciding.prospects import ALONE, Crowd
from duebell.deciding.subjects import Subject, others_told
from duebell.email.addresses import folded
from duebell.keys import INVOICE_OVERDUE
from duebell.ledger.announcements import Announced
from duebell.ledger.kept_verdicts import Grounds
from duebell.ledger.tables import Notification
from duebell.policy.teams import way_of
from duebell.policy.verdict import Hold, Send, Skip, Verdict
from duebell.states import Sending


@dataclass(frozen=True, slots=True)
class Standing:
    """How a notification stood before the verdict."""

    state: str
    reason: str
    not_before: datetime | None
    planned_at: datetime
    generation: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What a verdict rests on beside the policy and the snapshots, which stand elsewhere.

    ``known`` are the other fields of what the ledger knew, as far as they concern this person.
    """

    subject: Subject
    seen_at: datetime
    forced: bool
    failed: frozenset[str]
    own: tuple[int | None, ...]
    ceiling: Sending
    channels: frozenset[str]
    sending: str
    country: str
    timezone: str
    read_at: datetime
    known_before_connecting: bool
    known: dict[str, Any]
    standing: Standing | None
    crowd: Crowd
    schedules: frozenset[str] | bool = False
    """By which channels a provider could hold messages; earlier whether Twilio could."""


FACTS = TypeAdapter(Facts)
VERDICTS: dict[str, TypeAdapter[Any]] = {one.__name__.lower(): TypeAdapter(one) for one in (Send, Hold, Skip)}

ELSEWHERE = frozenset({"tenant", "read", "contact", "contact_version"})
KNOWN: dict[str, TypeAdapter[Any]] = {
    one.name: TypeAdapter(get_type_hints(Known)[one.name])
    for one in fields(Known)
    if one.name not in ELSEWHERE
}
"""How each other field of ``Known`` is written: a fact that is added there is kept by itself."""


def grounds_of(
    basis: Basis, verdict: Verdict, row: Notification | None = None, crowd: Crowd = ALONE
) -> Grounds:
    """What is kept of a verdict; ``row`` is how the notification stood before it."""
    known = basis.known
    return Grounds(
        basis.now,
        basis.rules.text,
        known.read.version,
        known.contact.contact_id if known.contact else None,
        known.contact_version,
        _written(verdict),
        FACTS.dump_json(_facts(basis, row, crowd)).decode(),
    )


def _written(verdict: Verdict) -> str:
    name = type(verdict).__name__.lower()
    return json.dumps({name: VERDICTS[name].dump_python(verdict, mode="json")}, separators=(",", ":"))


def _facts(basis: Basis, row: Notification | None, crowd: Crowd) -> Facts:
    known, tenant = _own(basis), basis.known.tenant
    return Facts(
        basis.subject,
        basis.seen_at,
        basis.forced,
        basis.failed,
        basis.own,
        basis.rules.ceiling,
        basis.rules.channels,
        tenant.sending,
        tenant.country,
        tenant.timezone,
        known.read.read_at,
        known.read.known_before_connecting,
        {name: how.dump_python(getattr(known, name), mode="json") for name, how in KNOWN.items()},
        _standing(row),
        crowd,
        basis.rules.schedules,
    )


def _own(basis: Basis) -> Known:
    """What is known, without what concerns others who were looked up in the same breath."""
    known = basis.known
    addresses, whom = set(addresses_of(known)), {known.contact_id}
    if basis.subject.team:
        way = way_of(basis.subject.team, basis.policy.team)
        addresses, whom = {way.address} if way else set[str](), set[str | None]()
    same = {folded(one) for one in addresses}
    return replace(
        known,
        refusals={one: why for one, why in known.refusals.items() if one in addresses},
        told=others_told(basis.subject, known),
        reminders=tuple(
            one for one in known.reminders if one.contact_id in whom or folded(one.address) in same
        ),
        announced=tuple(one for one in known.announced if _concerns(one, basis.subject)),
    )


def _concerns(announced: Announced, subject: Subject) -> bool:
    return subject.kind == INVOICE_OVERDUE and not subject.team and announced.person == subject.person


def _standing(row: Notification | None) -> Standing | None:
    if row is None:
        return None
    return Standing(row.state, row.reason, row.not_before, row.planned_at, row.generation)
