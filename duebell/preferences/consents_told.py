"""Telling Twilio what people want: laid out for our senders, posted in batches, settled by the answers."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from duebell.audit import Entry
from duebell.deciding.senders import all_mirrored_senders, mirrored_senders
from duebell.ledger import consent_lines, mirror_switch, wishes
from duebell.ledger.engine import reading
from duebell.ledger.mirror_switch import ACTOR
from duebell.ledger.writing import Writing, writing
from duebell.preferences import group_numbers, wishes_in_xero
from duebell.preferences.consent_posting import Posting
from duebell.preferences.group_numbers import GroupNumbers
from duebell.preferences.mirroring import ASK_ANEW, Outcome, Wish
from duebell.resources import Resources
from duebell.showing.ended import Ended
from duebell.twilio.consents import MOST_ITEMS

AT_ONCE = 200
"""How many numbers are laid out in one transaction: others wait for it."""

MOST_OF_A_RUN = 2_000


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a post: how many consents Twilio took, refused, and left to be told again."""

    taken: int = 0
    refused: int = 0
    waiting: int = 0

    def __add__(self, other: "Told") -> "Told":
        return Told(self.taken + other.taken, self.refused + other.refused, self.waiting + other.waiting)

    @property
    def name(self) -> str:
        """What the run is called at its end."""
        parts = [(self.taken, "told"), (self.refused, "refused"), (self.waiting, "waiting")]
        return ", ".join(f"{count} {what}" for count, what in parts if count) or "Nothing to tell"


def ending(posts: Iterable[Told], in_xero: int, failed: int) -> Ended:
    """The end of a run that told Twilio by these posts, changed so much in Xero's groups, and failed at so
    many steps.
    """
    told = sum(posts, Told())
    name = f"{told.name}, {in_xero} shown in Xero" if in_xero else told.name
    return Ended(name, f"{failed} steps failed", sound=not failed)


def lay_out(resources: Resources, *, everything: bool) -> list[list[int]]:
    """Lay out what people want for our senders; returns the lines that are to be posted now, by batches.

    ``everything``: also what was laid out before, for senders that are new since. Nothing where the policy
    mirrors nothing.
    """
    if not resources.policy.preferences.mirror_to_twilio:
        return []
    if everything:
        wishes_in_xero.note_all(resources)
    senders = all_mirrored_senders(resources.policy, resources.settings)
    groups, after = _group_numbers(resources, everything=everything), ""

    def senders_of(address: str, wish: Wish) -> frozenset[str]:
        return _senders_of(resources, groups, address, wish)

    while addresses := _next(resources, after, everything=everything):
        with writing(resources.engine, resources.clock()) as book:
            consent_lines.lay_out(book, addresses, senders_of, _own(resources))
        after = addresses[-1]
    with writing(resources.engine, resources.clock()) as book:
        consent_lines.shelve(book, senders)
    with reading(resources.engine) as session:
        due = consent_lines.due(session, resources.clock(), senders, MOST_OF_A_RUN)
    return [due[start : start + MOST_ITEMS] for start in range(0, len(due), MOST_ITEMS)]


def _next(resources: Resources, after: str, *, everything: bool) -> list[str]:
    with reading(resources.engine) as session:
        now = resources.clock()
        return wishes.to_lay_out(session, now, after=after, everything=everything, most=AT_ONCE)


def _group_numbers(resources: Resources, *, everything: bool) -> GroupNumbers:
    """Looked through only where a group's wish is to be laid out; one that comes meanwhile waits."""
    with reading(resources.engine) as session:
        is_asked = wishes.is_of_xero_to_lay_out(session, resources.clock(), everything=everything)
    return group_numbers.look(resources) if is_asked else GroupNumbers()


def _senders_of(resources: Resources, groups: GroupNumbers, address: str, wish: Wish) -> frozenset[str]:
    """A word is for all of our senders. A field of Xero is for those of its organisation, as long as it is
    set, but for those at which other contacts are told at this number, whom it would silence.
    """
    policy, settings = resources.policy, resources.settings
    if not wish.tenants:
        return all_mirrored_senders(policy, settings)
    if address not in groups.asked:
        return frozenset()
    senders = (mirrored_senders(policy.for_tenant(one), settings) for one in wish.tenants)
    return frozenset[str]().union(*senders) - groups.spares(address)


def _own(resources: Resources) -> str:
    return resources.settings.twilio_messaging_service_sid or resources.settings.twilio_from


def post(
    resources: Resources,
    line_ids: Sequence[int],
    *,
    flow_run_id: str | None,
    pace: Callable[[], None] | None = None,
) -> Told:
    """Post these lines, once, as far as they are still due. It may be repeated: a consent is an upsert.

    ``pace`` is waited for before each request.

    Never raises for what Twilio answers: what it did not take is told again, each time later. Without a
    Consent API nothing is lost, and it is said once.
    """
    with writing(resources.engine, resources.clock()) as book:
        owed = consent_lines.claim(book, line_ids, lambda: uuid.uuid4().hex)
    if not owed:
        return Told()
    posting = Posting(resources.consents(), pace or _at_once)
    answers, no_api = posting.of(owed), posting.no_api
    with writing(resources.engine, resources.clock()) as book:
        counted = consent_lines.settle(book, owed, answers)
        answers_us = bool(counted.keys() & {Outcome.TAKEN, Outcome.REFUSED})
        if (no_api or answers_us) and mirror_switch.found(book, no_api):
            consent_lines.put_off(book, ASK_ANEW if no_api else timedelta())
        return _noted(book, counted, flow_run_id)


def _at_once() -> None:
    """No wait before a request."""


def _noted(book: Writing, counted: Mapping[Outcome, int], flow_run_id: str | None) -> Told:
    taken, refused = counted.get(Outcome.TAKEN, 0), counted.get(Outcome.REFUSED, 0)
    told = Told(taken, refused, sum(counted.values()) - taken - refused)
    details = {outcome.value: count for outcome, count in counted.items()}
    book.audit(
        Entry(ACTOR, "consents posted", "provider", "twilio", flow_run_id=flow_run_id, details=details)
    )
    return told
