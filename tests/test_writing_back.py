"""Who stopped is in the group of Xero, who started again is out of it, and the bookkeeper's members stay."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duebell.preferences.mirroring import Consent, Source, Wish
from duebell.preferences.writing_back import (
    LANDS_WITHIN,
    Line,
    Outcome,
    Stands,
    Step,
    answered,
    laid_out,
    looked,
    may_land,
    said_by_bookkeeper,
    shows,
)

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def stopped() -> Line:
    line = laid_out(None, NOW, stopped=True)
    assert line is not None
    return line


def added() -> Line:
    line, step = looked(stopped(), NOW, is_member=False)
    assert step is Step.ADD
    return answered(line, 1, step, Outcome.DONE, "", NOW)


def turned(line: Line, *, to_stopped: bool) -> Line:
    after = laid_out(line, NOW, stopped=to_stopped)
    assert after is not None
    return after


@pytest.mark.parametrize("source", [Source.WORD, Source.REFUSAL, Source.COMMAND])
def test_a_persons_stop_is_shown_and_a_field_of_xero_is_there_already(source: Source) -> None:
    assert shows(Wish(Consent.OPT_OUT, source, NOW))
    assert not shows(Wish(Consent.OPT_OUT, Source.XERO, NOW))
    assert not shows(Wish(Consent.OPT_IN, Source.WORD, NOW))


def test_who_never_stopped_has_no_line() -> None:
    assert laid_out(None, NOW, stopped=False) is None


def test_who_the_bookkeeper_had_put_there_stays_there_after_a_start() -> None:
    line, step = looked(stopped(), NOW, is_member=True)
    assert (step, line.stands, line.ours) == (None, Stands.DONE, False)
    line, step = looked(turned(line, to_stopped=False), NOW, is_member=True)
    assert (step, line.stands) == (None, Stands.DONE)


def test_a_start_takes_out_whom_we_put_in() -> None:
    line, step = looked(turned(added(), to_stopped=False), NOW, is_member=True)
    assert step is Step.REMOVE
    after = answered(line, 2, step, Outcome.DONE, "", NOW)
    assert (after.stands, after.ours, after.next_at) == (Stands.DONE, False, None)


def test_an_answer_to_an_older_wish_does_not_settle_a_newer_one() -> None:
    line, step = looked(stopped(), NOW, is_member=False)
    assert step is Step.ADD
    after = answered(turned(line, to_stopped=False), 1, step, Outcome.DONE, "", NOW)
    assert (after.wanted, after.stands, after.ours) == (False, Stands.OWED, True)


def test_a_request_without_an_answer_that_lands_late_is_still_ours() -> None:
    line, step = looked(stopped(), NOW, is_member=False)
    assert step is Step.ADD
    line = turned(answered(line, 1, step, Outcome.UNANSWERED, "", NOW), to_stopped=False)
    line, step = looked(line, NOW + MINUTE, is_member=False)
    assert (step, line.stands, line.next_at) == (None, Stands.OWED, NOW + LANDS_WITHIN)
    assert looked(line, NOW + LANDS_WITHIN, is_member=True)[1] is Step.REMOVE
    assert looked(line, NOW + LANDS_WITHIN, is_member=False)[0].stands is Stands.DONE


def test_whom_the_bookkeeper_took_out_though_he_stopped_is_put_in_again() -> None:
    line, step = looked(added(), NOW, is_member=False)
    assert (step, line.ours) == (Step.ADD, False)


def test_what_xero_refuses_waits_a_day_and_what_is_not_answered_comes_later_each_time() -> None:
    line, step = looked(stopped(), NOW, is_member=False)
    assert step is Step.ADD
    refused = answered(line, 1, step, Outcome.REFUSED, "400", NOW)
    assert (refused.stands, refused.adding_since) == (Stands.REFUSED, None)
    first = answered(line, 1, step, Outcome.UNANSWERED, "", NOW)
    second = answered(first, 1, step, Outcome.UNANSWERED, "", NOW)
    assert first.next_at == NOW + timedelta(seconds=20)
    assert second.next_at == NOW + timedelta(seconds=40)


def test_a_refusal_says_nothing_of_an_earlier_request_that_may_still_land() -> None:
    line, step = looked(stopped(), NOW, is_member=False)
    assert step is Step.ADD
    line = answered(line, 1, step, Outcome.UNANSWERED, "", NOW)
    earlier = may_land(line, NOW + MINUTE)
    assert earlier == NOW
    line, step = looked(line, NOW + MINUTE, is_member=False)
    assert step is Step.ADD
    refused = answered(line, 1, step, Outcome.REFUSED, "429", NOW + MINUTE, earlier=earlier)
    assert (refused.adding_since, refused.may_be_ours) == (NOW, True)
    assert looked(refused, NOW + LANDS_WITHIN, is_member=True)[0].ours
    assert may_land(refused, NOW + LANDS_WITHIN) is None, "after that, who is put there is the bookkeeper's"


def test_our_own_membership_is_not_the_bookkeepers_word_also_where_the_contact_was_read_before() -> None:
    ours = added()
    assert said_by_bookkeeper(["no sms", "Key"], "No SMS", ours, NOW + MINUTE) == ["Key"]
    gone = replace(ours, ours=False, wanted=False, written_at=NOW)
    assert said_by_bookkeeper(["No SMS"], "No SMS", gone, NOW - MINUTE) == []
    assert said_by_bookkeeper(["No SMS"], "No SMS", gone, NOW + MINUTE) == ["No SMS"]
    assert said_by_bookkeeper(["No SMS"], "No SMS", None, NOW) == ["No SMS"]


@dataclass
class World:
    """One contact, its owner, the bookkeeper, and Xero as it is played."""

    now: datetime = NOW
    stopped: bool = False
    line: Line | None = None
    member: bool = False
    by_hand: bool = False
    """The bookkeeper put it there: when it was not in the group yet."""
    flight: tuple[Step, int] | None = None
    earlier: datetime | None = None
    lost: bool = False
    """An answer is missing, so that a change by hand could not be told from ours."""

    def says(self, *, stop: bool) -> None:
        self.stopped = stop
        self.line = laid_out(self.line, self.now, stopped=stop)

    def bookkeeper(self, *, adds: bool) -> None:
        """Changes it by hand, and the next look at the group sees that."""
        if self.flight is not None or self.lost or self.member is adds:
            return
        self.member = self.by_hand = adds
        self.looks()

    def looks(self) -> None:
        if self.line is None or self.flight is not None:
            return
        self.earlier = may_land(self.line, self.now)
        self.line, step = looked(self.line, self.now, is_member=self.member)
        self.lost = self.line.adding_since is not None
        if step is Step.REMOVE:
            assert not self.by_hand, "what the bookkeeper set is being removed"
        if step is not None:
            self.flight = (step, self.line.version)

    def ends(self, outcome: Outcome, *, lands: bool) -> None:
        if self.flight is None or self.line is None:
            return
        (step, version), self.flight = self.flight, None
        if outcome is Outcome.DONE or lands:
            self.member = step is Step.ADD
        self.line = answered(self.line, version, step, outcome, "", self.now, earlier=self.earlier)
        self.lost = outcome is Outcome.UNANSWERED or self.line.adding_since is not None


ACTS = ("stop", "start", "adds", "takes out", "look", "done", "lost", "failed", "refused", "restart")


def act(world: World, what: str) -> None:
    world.now += MINUTE
    if what in {"stop", "start"}:
        world.says(stop=what == "stop")
    elif what in {"adds", "takes out"}:
        world.bookkeeper(adds=what == "adds")
    elif what == "look":
        world.looks()
    elif what == "done":
        world.ends(Outcome.DONE, lands=True)
    elif what == "refused":
        world.ends(Outcome.REFUSED, lands=False)
    elif what in {"lost", "failed"}:
        world.ends(Outcome.UNANSWERED, lands=what == "lost")
    elif world.flight is not None:  # killed before or after the answer, which nobody wrote down
        world.flight, world.lost = None, True


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(ACTS), max_size=30))
def test_in_the_end_the_group_holds_who_stopped_and_whom_the_bookkeeper_put_there(acts: list[str]) -> None:
    world = World()
    for what in acts:
        act(world, what)
    for _ in range(6):
        world.now += LANDS_WITHIN
        world.looks()
        world.ends(Outcome.DONE, lands=True)
    assert world.member is (world.stopped or world.by_hand)
    assert world.line is None or world.line.stands is Stands.DONE
