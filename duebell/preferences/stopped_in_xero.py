"""Showing in Xero who stopped: each organisation's group is looked at and set right."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from duebell.audit import Entry
from duebell.books.access import XeroAccess
from duebell.books.calls import Purpose
from duebell.books.portions import UNSERVED
from duebell.connecting.scopes import NO_ROLE_TO_WRITE, NO_SCOPE
from duebell.errors import (
    ConfigurationError,
    Permanent,
    Postponed,
    RateLimited,
    ReconnectNeeded,
    RecordNotFound,
    RoleMissing,
    ScopeMissing,
    TenantDisconnected,
    Transient,
)
from duebell.ledger import group_lines, inbox
from duebell.ledger.engine import reading
from duebell.ledger.group_lines import ACTOR
from duebell.ledger.inbox import NewEvent
from duebell.ledger.writing import Writing, writing
from duebell.preferences import writing_back
from duebell.preferences.mirroring import ASK_ANEW, retry_after
from duebell.preferences.write_scope import require_write_scope
from duebell.preferences.writing_back import Line, Outcome, Step
from duebell.resources import Resources
from duebell.xero.contact_groups import MOST_AT_ONCE

AccessTo = Callable[[str, Purpose], XeroAccess]

OF_ALL = (ScopeMissing, TenantDisconnected, ReconnectNeeded)
"""What Xero refuses whichever contact it is about."""

MOST_IN_A_ROW = 8
"""By so many, one contact of fifty is told apart from the others; where more fail, Xero itself ails."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What came of one organisation's group: how many were put in, taken out, and are still to be."""

    added: int = 0
    removed: int = 0
    waiting: int = 0

    @property
    def changed(self) -> int:
        """How many members were changed in Xero."""
        return self.added + self.removed


def show(resources: Resources, tenant_id: str, access_to: AccessTo, *, flow_run_id: str | None) -> Shown:
    """Look at an organisation's group and set it right. It may be repeated: what is right is left alone.

    Raises nothing of Xero's: what cannot be done now waits, and why is said once.
    """
    name = resources.policy.for_tenant(tenant_id).preferences.write_back_group
    with writing(resources.engine, resources.clock()) as book:
        lease = group_lines.take_lease(book, tenant_id) if name else None
    if lease is None:
        return Shown()
    showing = _Showing(resources, tenant_id, name, flow_run_id)
    try:
        showing.run(access_to)
    finally:
        with writing(resources.engine, resources.clock()) as book:
            group_lines.drop_lease(book, tenant_id, lease)
    return showing.shown()


@dataclass
class _Showing:
    """One look at one group."""

    resources: Resources
    tenant_id: str
    name: str
    flow_run_id: str | None
    unsent: dict[str, int] = field(default_factory=dict[str, int])
    """The versions of whom we are about to put in, and have not asked for yet."""
    unanswered: dict[str, datetime] = field(default_factory=dict[str, datetime])
    """Since when a request to put them in is without an answer, and may still be done."""
    unserved: int = 0
    """How many requests in a row Xero did not serve."""
    done: dict[Step, int] = field(default_factory=lambda: dict.fromkeys(Step, 0))

    def run(self, access_to: AccessTo) -> None:
        try:
            self._set_right(access_to(self.tenant_id, Purpose.PREFERENCES))
        except Postponed as later:
            self._put_off(str(later), "", later.until)
        except Transient as lost:
            self._put_off(str(lost), "", None)
        except RoleMissing:
            self._put_off(NO_ROLE_TO_WRITE, NO_ROLE_TO_WRITE, self._now() + ASK_ANEW)
        except ScopeMissing:
            self._put_off(NO_SCOPE, NO_SCOPE, self._now() + ASK_ANEW)
        except (Permanent, ConfigurationError) as refused:
            self._put_off(str(refused), str(refused), self._now() + ASK_ANEW)

    def shown(self) -> Shown:
        with reading(self.resources.engine) as session:
            counts = group_lines.counts(session, self.tenant_id, self.name)
        waiting = sum(counts.get(one, 0) for one in group_lines.UNSETTLED)
        return Shown(self.done[Step.ADD], self.done[Step.REMOVE], waiting)

    def _now(self) -> datetime:
        return self.resources.clock()

    def _set_right(self, access: XeroAccess) -> None:
        require_write_scope(self.resources, access)
        groups, wanted = access.ask(access.client.groups.by_name), self.name.casefold()
        group_id = next((one for name, one in groups.items() if name.strip().casefold() == wanted), "")
        if not group_id:
            raise RecordNotFound(group_lines.missing(self.name))
        members = access.ask(lambda: access.client.groups.members(group_id))
        with writing(self.resources.engine, self._now()) as book:
            group_lines.found_as(book, self.tenant_id, self.name, group_id)
        steps = self._looked(members)
        adding = [contact for contact, (step, _) in steps.items() if step is Step.ADD]
        for start in range(0, len(adding), MOST_AT_ONCE):
            self._add(access, group_id, {one: steps[one][1] for one in adding[start : start + MOST_AT_ONCE]})
        for contact, (step, version) in steps.items():
            if step is Step.REMOVE:
                self._remove(access, group_id, contact, version)
        with writing(self.resources.engine, self._now()) as book:
            group_lines.found(book, self.tenant_id, "")

    def _looked(self, members: frozenset[str]) -> dict[str, tuple[Step, int]]:
        """What is to be done, by which versions; what was tried in vain comes last, and holds up nobody."""
        steps: dict[str, tuple[Step, int]] = {}
        tries: dict[str, int] = {}
        out: list[str] = []

        def turn(contact_id: str, line: Line) -> Line:
            if writing_back.is_out(line, is_member=contact_id in members):
                out.append(contact_id)
            if since := writing_back.may_land(line, self._now()):
                self.unanswered[contact_id] = since
            after, step = writing_back.looked(line, self._now(), is_member=contact_id in members)
            if step is not None:
                steps[contact_id], tries[contact_id] = (step, after.version), after.tries
            if step is Step.ADD:
                self.unsent[contact_id] = after.version
            return after

        with writing(self.resources.engine, self._now()) as book:
            group_lines.turn_all(book, self.tenant_id, self.name, turn)
            self._have_read_anew(book, out)
        return {one: steps[one] for one in sorted(steps, key=lambda one: (tries[one], one))}

    def _add(self, access: XeroAccess, group_id: str, versions: dict[str, int]) -> None:
        self.unsent = {one: version for one, version in self.unsent.items() if one not in versions}
        try:
            access.ask(lambda: access.client.groups.add(group_id, list(versions)))
        except (*OF_ALL, RecordNotFound, Postponed, RateLimited) as unheard:
            self._settle(Step.ADD, versions, Outcome.REFUSED, str(unheard))
            raise
        except Transient as lost:
            goes_on = self._goes_on(lost)
            if goes_on and len(versions) > 1:
                self.unanswered |= dict.fromkeys(versions, self._now())
                self._add_halves(access, group_id, versions)
                return
            self._settle(Step.ADD, versions, Outcome.UNANSWERED, str(lost))
            if not goes_on:
                raise
        except Permanent as refused:
            if len(versions) == 1:
                self._settle(Step.ADD, versions, Outcome.REFUSED, str(refused))
            else:
                self._add_halves(access, group_id, versions)
        else:
            self._settle(Step.ADD, versions, Outcome.DONE, "")

    def _add_halves(self, access: XeroAccess, group_id: str, versions: dict[str, int]) -> None:
        """One that Xero does not take, or cannot serve, holds up no other; it does not say which it is."""
        contacts, half = list(versions), len(versions) // 2
        for some in (contacts[:half], contacts[half:]):
            self._add(access, group_id, {one: versions[one] for one in some})

    def _goes_on(self, lost: Transient) -> bool:
        self.unserved += 1
        return isinstance(lost, UNSERVED) and self.unserved < MOST_IN_A_ROW

    def _remove(self, access: XeroAccess, group_id: str, contact: str, version: int) -> None:
        try:
            access.ask(lambda: access.client.groups.remove(group_id, contact))
        except Transient as lost:
            self._settle(Step.REMOVE, {contact: version}, Outcome.UNANSWERED, str(lost))
            if not self._goes_on(lost):
                raise
        except OF_ALL:
            raise
        except Permanent as refused:
            self._settle(Step.REMOVE, {contact: version}, Outcome.REFUSED, str(refused))
        else:
            self._settle(Step.REMOVE, {contact: version}, Outcome.DONE, "")

    def _settle(self, step: Step, versions: dict[str, int], outcome: Outcome, said: str) -> None:
        def turn(contact_id: str, line: Line) -> Line:
            if contact_id not in versions:
                return line
            version, earlier = versions[contact_id], self.unanswered.get(contact_id)
            return writing_back.answered(line, version, step, outcome, said, self._now(), earlier=earlier)

        with writing(self.resources.engine, self._now()) as book:
            group_lines.turn_all(book, self.tenant_id, self.name, turn)
            if outcome is Outcome.DONE:
                self.unserved = 0
                self.done[step] += len(versions)
                self._say(book, step, list(versions))

    def _say(self, book: Writing, step: Step, contact_ids: Sequence[str]) -> None:
        action = "put into contact group" if step is Step.ADD else "taken out of contact group"
        group = {"group": self.name}
        for one in contact_ids:
            book.audit(Entry(ACTOR, action, "contact", one, self.tenant_id, self.flow_run_id, details=group))
        if step is Step.REMOVE:
            self._have_read_anew(book, contact_ids)

    def _have_read_anew(self, book: Writing, contacts: Sequence[str]) -> None:
        """Not waiting for Xero's event of it: the policy may keep silent to the group's members."""
        mark, tenant = f"write_back:{book.now.isoformat()}", self.tenant_id
        events = [NewEvent(tenant, "CONTACT", one, "UPDATE", mark, None, found_by=ACTOR) for one in contacts]
        inbox.keep_in(book, events, [], book.now)

    def _put_off(self, said: str, why: str, until: datetime | None) -> None:
        now = self._now()

        def turn(contact_id: str, line: Line) -> Line:
            if contact_id in self.unsent:
                version, earlier = self.unsent[contact_id], self.unanswered.get(contact_id)
                refused = Outcome.REFUSED
                line = writing_back.answered(line, version, Step.ADD, refused, said, now, earlier=earlier)
            return writing_back.put_off(line, said, until or now + retry_after(line.tries))

        with writing(self.resources.engine, now) as book:
            group_lines.turn_all(book, self.tenant_id, self.name, turn)
            if why:
                group_lines.found(book, self.tenant_id, why)
