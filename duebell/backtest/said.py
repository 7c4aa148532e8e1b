"""The messages of a policy that is played, with how many SMS each would have taken."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from duebell.deciding.deciding import route_for
from duebell.deciding.known import Known
from duebell.deciding.subjects import Subject
from duebell.errors import TemplateProblem
from duebell.keys import INVOICE_OVERDUE
from duebell.policy.reaching import EMAIL
from duebell.policy.verdict import Send
from duebell.policy_file.policy import Policy
from duebell.render.message_text import telling_of, words_of
from duebell.render.rendering import Templates
from duebell.render.segments import segments
from duebell.render.wording import Told

SAMPLES = 5
"""Messages of one sort whose words are made; the others are taken to be as long on the average."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One thing that goes out now."""

    subject: Subject
    known: Known
    verdict: Send

    @property
    def invoice_id(self) -> str:
        """The invoice that it is about."""
        return self.known.read.invoice.invoice_id


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``whom`` is a customer's contact id or a team; ``parts`` is 0 for an email.

    ``had_paid``: it reminded of nothing but what had been paid by that day, as Xero shows it afterwards.
    """

    at: datetime
    day: date
    kind: str
    stage: str
    whom: str
    name: str = field(repr=False)
    channel: str
    invoices: int
    parts: float
    had_paid: bool


class Words:
    """Makes messages, and the words of the first few of each sort."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._parts: dict[object, list[int]] = {}

    def message(
        self, members: Sequence[Outgoing], policy: Policy, now: datetime, day: date, *, had_paid: bool
    ) -> Message:
        """The message that tells of these."""
        first = members[0]
        subject, known = first.subject, first.known
        return Message(
            now,
            day,
            subject.kind,
            subject.step.partition("@")[0],
            subject.team or known.contact_id or "",
            subject.team or (known.contact.name if known.contact else ""),
            first.verdict.channel,
            len(members),
            0 if first.verdict.channel == EMAIL else self._parts_of(members, policy, now),
            had_paid,
        )

    def _parts_of(self, members: Sequence[Outgoing], policy: Policy, now: datetime) -> float:
        first = members[0]
        route, subject = route_for(first.subject, first.known, policy), first.subject
        stage = subject.step.partition("@")[0] if subject.kind == INVOICE_OVERDUE else ""
        sort = (subject.kind, stage, subject.team, route.place, min(len(members), SAMPLES))
        known = self._parts.setdefault(sort, [])
        if len(known) < SAMPLES:
            known.append(self._counted(members, policy, now))
            return known[-1]
        return sum(known) / len(known)

    def _counted(self, members: Sequence[Outgoing], policy: Policy, now: datetime) -> int:
        """A text that cannot be made counts as one: `duebell policy check` tells what is wrong with it."""
        told = [Told(one.subject, one.known) for one in members]
        try:
            text = words_of(self._templates, telling_of(told, policy, now), members[0].verdict.channel).text
        except TemplateProblem:
            return 1
        return segments(text).parts
