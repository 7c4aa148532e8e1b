"""What Twilio is told: the latest wish, not to the sender that heard it, and no opt-in without a word."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duebell.preferences.mirroring import (
    Consent,
    Line,
    Outcome,
    Source,
    Stands,
    Wish,
    answered,
    begun,
    heeded,
    laid_out,
    left_alone,
    retry_after,
)

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
A, B = "+15005550006", "MG" + "1" * 32
OUT, IN = Consent.OPT_OUT, Consent.OPT_IN


def word(status: Consent, at: datetime, *said_to: str) -> Wish:
    return Wish(status, Source.WORD, at, said_to=frozenset(said_to))


def xero(at: datetime, tenant: str = "t1") -> Wish:
    return Wish(OUT, Source.XERO, at, tenants=frozenset({tenant}))


@pytest.mark.parametrize("source", [Source.XERO, Source.REFUSAL])
def test_no_field_of_xero_and_no_refusal_ever_opts_anybody_in(source: Source) -> None:
    with pytest.raises(ValueError, match="own evidence"):
        Wish(IN, source, NOW)


def test_a_start_without_a_stop_before_it_means_nothing() -> None:
    assert heeded(None, word(IN, NOW, A)) is None


def test_a_field_that_was_set_before_the_persons_word_does_not_count_and_a_newer_one_does() -> None:
    started = heeded(heeded(None, word(OUT, NOW, A)), word(IN, NOW + MINUTE, A))
    assert heeded(started, xero(NOW + MINUTE)) == started
    later = heeded(started, xero(NOW + 2 * MINUTE))
    assert later is not None
    assert (later.status, later.version) == (OUT, 3)


def test_a_field_of_xero_is_for_its_organisation_and_a_word_is_for_all() -> None:
    two = heeded(heeded(None, xero(NOW)), xero(NOW, "t2"))
    assert two is not None
    assert (two.tenants, two.version) == (frozenset({"t1", "t2"}), 1)
    stopped = heeded(two, word(OUT, NOW, A))
    assert stopped is not None
    assert (stopped.tenants, stopped.version) == (frozenset(), 1)


def test_what_was_said_to_a_sender_is_told_to_the_others_alone() -> None:
    wish = word(OUT, NOW, A)
    assert laid_out(wish, None, A, NOW).stands is Stands.HEARD
    assert laid_out(wish, None, B, NOW).stands is Stands.OWED


def test_an_older_answer_does_not_settle_a_newer_wish() -> None:
    posting = begun(laid_out(word(OUT, NOW, A), None, B, NOW))
    newer = laid_out(replace(word(IN, NOW + MINUTE, A), version=2), posting, B, NOW + MINUTE)
    after = answered(newer, 1, Outcome.TAKEN, "", NOW + MINUTE)
    assert (after.status, after.stands) == (IN, Stands.OWED)


@pytest.mark.parametrize("outcome", [Outcome.TAKEN, Outcome.REFUSED])
def test_the_answer_to_an_opt_in_settles_no_stop_that_came_while_it_was_posted(outcome: Outcome) -> None:
    started = replace(word(IN, NOW, A), version=2)
    noted = heeded(started, xero(NOW + MINUTE))
    assert noted is not None
    posting = begun(left_alone(noted, laid_out(started, None, B, NOW)))
    stopped = heeded(noted, word(OUT, NOW + 2 * MINUTE, A))
    assert stopped is not None
    assert (stopped.version, stopped.tenants) == (posting.version, frozenset())
    newer = laid_out(stopped, posting, B, NOW + 2 * MINUTE)
    after = answered(newer, posting.version, outcome, "", NOW + 2 * MINUTE)
    assert (after.status, after.stands) == (OUT, Stands.OWED)
    told = answered(begun(after), stopped.version, Outcome.TAKEN, "", NOW + 3 * MINUTE)
    assert (told.status, told.stands) == (OUT, Stands.TOLD)


def test_a_word_is_said_again_to_its_sender_where_our_own_post_may_have_come_after_it() -> None:
    opting_in = replace(word(IN, NOW, A), version=2)
    posting = begun(laid_out(opting_in, None, B, NOW))
    stopped = replace(word(OUT, NOW + MINUTE, B), version=3)
    assert laid_out(stopped, posting, B, NOW + MINUTE).stands is Stands.OWED
    long_ago = answered(posting, 2, Outcome.TAKEN, "", NOW)
    much_later = replace(stopped, at=NOW + timedelta(hours=1))
    assert laid_out(much_later, long_ago, B, NOW + timedelta(hours=1)).stands is Stands.HEARD


def test_retries_come_later_each_time_and_never_end() -> None:
    waits = [retry_after(tries) for tries in range(30)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (timedelta(seconds=20), timedelta(hours=6))


def test_what_twilio_refuses_is_tried_again_the_next_day() -> None:
    wish = word(OUT, NOW, A)
    refused = answered(begun(laid_out(wish, None, B, NOW)), 1, Outcome.REFUSED, "30646", NOW)
    assert laid_out(wish, refused, B, NOW + timedelta(hours=1)).stands is Stands.REFUSED
    assert laid_out(wish, refused, B, NOW + timedelta(days=1)).stands is Stands.OWED


@dataclass
class World:
    """One number, two senders of ours, and Twilio as it is played: the last upsert or word counts."""

    now: datetime = NOW
    wish: Wish | None = None
    lines: dict[str, Line] = field(default_factory=dict[str, Line])
    twilio: dict[str, Consent] = field(default_factory=dict[str, Consent])
    flight: dict[str, tuple[Line, bool]] = field(default_factory=dict[str, tuple[Line, bool]])
    evidence: list[tuple[datetime, Consent]] = field(default_factory=list[tuple[datetime, Consent]])
    xero_since: datetime | None = None

    def hears(self, status: Consent, sender: str) -> None:
        """The person writes to a sender: Twilio heeds it first, and then we do."""
        self.twilio[sender] = status
        self.learns(word(status, self.now, sender))

    def learns(self, said: Wish) -> None:
        before = self.wish
        self.wish = heeded(self.wish, said)
        if self.wish != before:
            self.evidence.append((self.now, said.status))

    def looks_at_xero(self) -> None:
        if self.xero_since is not None:
            self.learns(xero(self.xero_since))

    def lays_out(self) -> None:
        if self.wish is not None:
            for sender in (A, B):
                self.lines[sender] = laid_out(self.wish, self.lines.get(sender), sender, self.now)

    def begins(self, sender: str) -> None:
        line = self.lines.get(sender)
        due = line is not None and line.stands is Stands.OWED and self.wish is not None
        if line is None or not due or sender in self.flight or line.version != self.wish.version:  # type: ignore[union-attr]  # due says so
            return
        if line.status is IN:
            assert self.evidence[-1][1] is IN, "opted in though the last that was learned was a stop"
            assert line.source in {Source.WORD, Source.COMMAND}
        self.lines[sender] = begun(line)
        self.flight[sender] = (line, False)

    def arrives(self, sender: str) -> None:
        """The request that is under way reaches Twilio."""
        if sender in self.flight:
            line, _ = self.flight[sender]
            self.twilio[sender] = line.status
            self.flight[sender] = (line, True)

    def is_answered(self, sender: str, outcome: Outcome) -> None:
        if sender not in self.flight:
            return
        line, arrived = self.flight.pop(sender)
        if outcome is Outcome.TAKEN and not arrived:
            self.twilio[sender] = line.status
        if outcome in {Outcome.REFUSED, Outcome.NOT_OFFERED} and arrived:
            outcome = Outcome.UNANSWERED  # what was done is never answered as refused
        self.lines[sender] = answered(self.lines[sender], line.version, outcome, "", self.now)

    def comes_to_rest(self) -> None:
        """All goes well from now on."""
        for sender in (A, B):
            self.is_answered(sender, Outcome.UNANSWERED)
        self.looks_at_xero()
        for _ in range(3):
            self.now += timedelta(days=2)
            self.lays_out()
            for sender in (A, B):
                self.begins(sender)
                self.is_answered(sender, Outcome.TAKEN)


STEPS = st.one_of(
    st.tuples(st.sampled_from(["stop", "start", "begin", "arrive", "taken", "lost", "refused", "no api"]),
              st.sampled_from([A, B])),
    st.tuples(st.sampled_from(["xero set", "xero cleared", "look", "lay out", "command stop",
                               "command allow"]), st.just("")),
)  # fmt: skip


def step(world: World, what: str, sender: str) -> None:
    world.now += timedelta(seconds=7)
    match what:
        case "stop" | "start":
            world.hears(OUT if what == "stop" else IN, sender)
        case "command stop" | "command allow":
            world.learns(Wish(OUT if what == "command stop" else IN, Source.COMMAND, world.now))
        case "xero set":
            world.xero_since = world.xero_since or world.now
        case "xero cleared":
            world.xero_since = None
        case "look":
            world.looks_at_xero()
        case "lay out":
            world.lays_out()
        case _:
            at_twilio(world, what, sender)


def at_twilio(world: World, what: str, sender: str) -> None:
    outcomes = {"taken": Outcome.TAKEN, "lost": Outcome.UNANSWERED, "refused": Outcome.REFUSED}
    if what == "begin":
        world.begins(sender)
    elif what == "arrive":
        world.arrives(sender)
    else:
        world.is_answered(sender, outcomes.get(what, Outcome.NOT_OFFERED))


@settings(max_examples=600)
@given(st.lists(STEPS, max_size=40))
def test_whatever_happens_twilio_ends_with_the_latest_wish_at_every_sender(
    steps: list[tuple[str, str]],
) -> None:
    world = World()
    for what, sender in steps:
        step(world, what, sender)
    world.comes_to_rest()
    if world.wish is None:
        assert OUT not in world.twilio.values()
        return
    assert {world.twilio.get(one) for one in (A, B)} == {world.wish.status}
