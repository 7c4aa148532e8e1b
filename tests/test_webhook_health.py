"""When webhooks look broken, and when they do not: an alarm once an episode, and none for idle days."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from duebell.books.webhook_health import (
    MENDS,
    SAID,
    Brought,
    Facts,
    FoundChange,
    Turn,
    Why,
    missed_by_webhooks,
    turn,
    why_broken,
)
from tests.support_facts import INVOICE, MINUTE, NOW, numbered

HOUR = timedelta(hours=1)
SOUND = Facts(webhook_at=NOW - 5 * HOUR, synced_at=NOW - 90 * HOUR, suspect_at=None)


def found(changed_at: datetime, found_at: datetime, resource_id: str = INVOICE) -> FoundChange:
    return FoundChange("INVOICE", resource_id, changed_at, found_at)


TWO_POLLS = (
    found(NOW - 40 * MINUTE, NOW - 30 * MINUTE),
    found(NOW - 20 * MINUTE, NOW - 15 * MINUTE, numbered(2)),
)


def test_a_quiet_tenant_is_sound_however_long_no_webhook_came() -> None:
    assert why_broken(SOUND, NOW) is None
    assert why_broken(replace(SOUND, webhook_at=NOW - 900 * HOUR), NOW) is None
    assert turn(SOUND, NOW) == (Turn.NONE, None)


def test_f042_changes_that_two_polls_found_and_no_webhook_told_of_begin_an_episode() -> None:
    silent = replace(SOUND, found=TWO_POLLS)
    assert turn(silent, NOW) == (Turn.SUSPECT, Why.SILENT)
    assert turn(replace(silent, suspect_at=NOW), NOW + HOUR) == (Turn.NONE, Why.SILENT)


def test_one_poll_alone_however_much_it_found_is_no_alarm() -> None:
    many = tuple(found(NOW - HOUR, NOW - 30 * MINUTE, numbered(number)) for number in range(9))
    assert why_broken(replace(SOUND, found=many), NOW) is None


def test_a_webhook_has_ten_minutes_before_it_counts_as_missing() -> None:
    fresh = found(NOW - 9 * MINUTE, NOW - 8 * MINUTE, numbered(2))
    assert why_broken(replace(SOUND, found=(TWO_POLLS[0], fresh)), NOW) is None
    assert why_broken(replace(SOUND, found=(TWO_POLLS[0], fresh)), NOW + MINUTE) is Why.SILENT


def test_what_a_webhook_told_of_too_is_not_missing_though_it_came_late() -> None:
    late = Brought("INVOICE", INVOICE, NOW - 40 * MINUTE)
    assert missed_by_webhooks(TWO_POLLS, (late,), NOW) == TWO_POLLS[1:]
    assert why_broken(replace(SOUND, found=TWO_POLLS, brought=(late,)), NOW) is None
    earlier = replace(late, event_time=NOW - 46 * MINUTE)
    assert missed_by_webhooks(TWO_POLLS, (earlier,), NOW) == TWO_POLLS
    other = replace(late, category="CONTACT")
    assert missed_by_webhooks(TWO_POLLS, (other,), NOW) == TWO_POLLS


def test_what_was_missed_before_the_last_webhook_came_does_not_count() -> None:
    came = replace(SOUND, found=TWO_POLLS, webhook_at=NOW - 20 * MINUTE)
    assert why_broken(came, NOW) is None


def test_a_number_that_is_missing_for_more_than_20_minutes_and_less_than_a_day_is_an_alarm() -> None:
    for age, why in ((19, None), (21, Why.GAP), (23 * 60, Why.GAP), (25 * 60, None)):
        assert why_broken(replace(SOUND, gaps=(NOW - age * MINUTE,)), NOW) is why, age


def test_a_tenant_that_never_had_a_webhook_is_told_of_once_after_a_day_of_changes() -> None:
    never = replace(SOUND, webhook_at=None, found=TWO_POLLS)
    assert turn(never, NOW) == (Turn.SUSPECT, Why.NEVER_CAME)
    assert why_broken(replace(never, synced_at=NOW - 23 * HOUR), NOW) is None
    assert why_broken(replace(never, found=()), NOW) is None
    assert why_broken(replace(never, found=(), gaps=(NOW - HOUR,)), NOW) is None
    for hours in range(1, 200):
        assert turn(replace(never, suspect_at=NOW), NOW + hours * HOUR)[0] is Turn.NONE


def test_an_episode_ends_with_a_webhook_and_not_with_a_quiet_day() -> None:
    episode = replace(SOUND, suspect_at=NOW - HOUR)
    assert turn(episode, NOW) == (Turn.NONE, None)
    assert turn(replace(episode, webhook_at=NOW), NOW) == (Turn.CLEAR, None)
    still = replace(episode, webhook_at=NOW - MINUTE, gaps=(NOW - HOUR,))
    assert turn(still, NOW) == (Turn.NONE, Why.GAP)


MINUTES = st.integers(0, 60 * 30)


@given(
    st.none() | MINUTES,
    st.none() | MINUTES,
    st.lists(MINUTES, max_size=3),
    st.lists(st.tuples(MINUTES, MINUTES), max_size=5),
)
def test_an_episode_begins_only_where_there_is_none_and_ends_only_where_there_is_one(
    webhook: int | None, suspect: int | None, gaps: list[int], changes: list[tuple[int, int]]
) -> None:
    def ago(minutes: int | None) -> datetime | None:
        return None if minutes is None else NOW - minutes * MINUTE

    facts = Facts(
        ago(webhook),
        NOW - 90 * HOUR,
        ago(suspect),
        tuple(NOW - gap * MINUTE for gap in gaps),
        tuple(found(NOW - one * MINUTE, NOW - other * MINUTE) for one, other in changes),
    )
    taken, why = turn(facts, NOW)
    assert taken is not Turn.SUSPECT or (suspect is None and why is not None)
    assert taken is not Turn.CLEAR or (suspect is not None and why is None)


def test_each_reason_has_its_words_and_its_mend() -> None:
    assert set(SAID) == set(MENDS) == set(Why)
    assert all("developer.xero.com/app/manage" in mend for mend in MENDS.values())
