"""A ledger set back between the attempts of one message: the latest speaks, and nothing is said again."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations, product
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import select

from duebell.ledger import notifications, tenants, trail
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import ConsentWish, Notification, Preference
from duebell.ledger.writing import writing
from duebell.policy.reaching import Way
from duebell.policy.verdict import Send
from duebell.resources import Resources
from duebell.safekeeping.journal import Journal, Posted
from duebell.safekeeping.quarantine import compare
from duebell.sending.telling import tell
from duebell.states import NotificationState
from tests.support_facts import (
    MINUTE,
    MOBILE,
    NOW,
    Hand,
    counted,
    keep_contact,
    numbered,
    owed,
    receipt,
    resources_over,
    sid,
)
from tests.support_shop import EMAIL, Shop, came_back, mended
from tests.support_watching import Office
from tests.test_journal import copied_aside

S = NotificationState
DAY = timedelta(days=1)
PutBack = Callable[[], Engine]


def with_journal(shop: Shop, folder: Path) -> Shop:
    shop.resources = replace(shop.resources, journal=Journal(folder / "journal", "here"))
    resumed(shop)  # a first entry of the trail, by which the journal knows the ledger
    return shop


def resumed(shop: Shop) -> None:
    tenants.set_brake(shop.engine, stopped=False, by="person:test", why="", scope="all", now=shop.clock.now)


def set_back(shop: Shop, put_back: PutBack, folder: Path) -> None:
    """The ledger as it was copied, and a start of Duebell that compares it with the journal."""
    shop.engine = put_back()
    journal = Journal(folder / "journal", "here")
    shop.resources = replace(shop.resources, engine=shop.engine, journal=journal)
    shop.later(MINUTE)
    keep_contact(shop.engine, EmailAddress=EMAIL, read_at=shop.clock.now)
    shop.issues(1)
    compare(shop.resources)
    assert broken(shop.engine) == []


@pytest.mark.parametrize("copied", ["planned", "taken", "sent", "came back", "waits for the next day"])
def test_what_went_on_to_email_in_the_time_that_is_lost_is_not_emailed_again(
    ledger: Engine, tmp_path: Path, copied: str
) -> None:
    shop, put_back = with_journal(Shop(ledger, tmp_path, '"sms", "email"'), tmp_path), list[PutBack]()

    def reached(step: str) -> None:
        if step == copied:
            put_back.append(copied_aside(ledger, tmp_path))

    shop.issues(1)
    reached("planned")
    shop.tells(1)
    reached("taken")
    keep_receipt(ledger, receipt("sent", 1), now=shop.clock.now)
    reached("sent")
    came_back(shop, 1, 30006)
    reached("came back")
    shop.later(DAY)
    reached("waits for the next day")
    assert shop.tells(1) == [S.ACCEPTED]
    assert shop.twilio.asked == [MOBILE, "email"]

    set_back(shop, put_back[0], tmp_path)
    came_back(shop, 1, 30006)  # as Twilio says of it when it is asked again
    assert shop.stands(1) == (S.ACCEPTED, "")
    resumed(shop)
    shop.later(DAY)
    assert (shop.due(), shop.tells(1)) == ([], [])
    assert shop.twilio.asked == [MOBILE, "email"]
    assert broken(shop.engine) == []


def test_what_was_said_again_after_a_mend_in_the_time_that_is_lost_is_not_said_a_third_time(
    ledger: Engine, tmp_path: Path
) -> None:
    shop = with_journal(Shop(ledger, tmp_path), tmp_path)
    shop.issues(1)
    put_back = copied_aside(ledger, tmp_path)
    shop.tells(1)
    came_back(shop, 1, 30034)
    mended(shop, shop.clock.now)
    shop.later(MINUTE)
    assert shop.tells(1) == [S.ACCEPTED]

    set_back(shop, put_back, tmp_path)
    came_back(shop, 1, 30034)
    assert shop.stands(1) == (S.ACCEPTED, "")
    mended(shop, shop.clock.now)
    resumed(shop)
    shop.later(DAY)
    assert (shop.due(), shop.tells(1)) == ([], [])
    assert shop.twilio.asked == [MOBILE, MOBILE]
    assert broken(shop.engine) == []


# Every way in which a message may have been told, in whatever order machines give it back.

Told = tuple[tuple[str, bool], ...]
"""The attempts of a message: by which channel, and whether the SID came back."""

STORIES: list[Told] = [
    tuple(zip(channels, answered, strict=True))
    for channels in (("sms", "email"), ("email", "sms"), ("sms", "sms"), ("sms", "sms", "email"))
    for answered in product([True, False], repeat=len(channels))
]


def machines(folder: Path, origin: str, number: int, story: Told) -> list[Journal]:
    """A journal for each attempt, as if each was made by another machine."""
    found = list[Journal]()
    for place, (channel, answered) in enumerate(story):
        journal = Journal(folder / f"{number}-{place}", "here")
        at, named = NOW + place * MINUTE, f"{number}-{place}"
        one = Posted(named, place + 1, at, channel, ((owed(number).key, numbered(number)),))
        journal.begun(origin, one)
        if answered:
            journal.ended(origin, one, sid(number * 10 + place))
        found.append(journal)
    return found


@pytest.fixture
def origin(ledger: Engine) -> str:
    tenants.set_brake(ledger, stopped=True, by="person:test", why="", scope="all", now=NOW)
    with reading(ledger) as session:
        return trail.origin(session)


def planned(engine: Engine, number: int, channels: Sequence[str]) -> None:
    """A message that waits to be told by these channels in turn."""
    to = {"sms": MOBILE, "email": EMAIL}
    first, *others = [Way(channel, to[channel]) for channel in channels]
    verdict = Send(first.address, others=tuple(others), channel=first.channel)
    with writing(engine, NOW) as book:
        notifications.plan(book, owed(number), verdict, actor="test", flow_run_id=None)


def stands(engine: Engine, number: int) -> str:
    with reading(engine) as session:
        return session.exec(select(Notification.state).where(Notification.key == owed(number).key)).one()


def compared(resources: Resources, journals: Sequence[Journal]) -> None:
    for journal in journals:
        compare(replace(resources, journal=journal))


@pytest.mark.parametrize("order", [("sms", "email"), ("email", "sms"), ()])
def test_the_latest_attempt_speaks_in_whatever_order_the_journals_give_them(
    ledger: Engine, origin: str, tmp_path: Path, order: tuple[str, ...]
) -> None:
    resources = resources_over(ledger, Hand(NOW + DAY))
    cases = [(story, turn) for story in STORIES for turn in permutations(range(len(story)))]
    for number, (story, turn) in enumerate(cases, start=1):
        if order:
            planned(ledger, number, order)
        journals = machines(tmp_path, origin, number, story)
        compared(resources, [journals[place] for place in turn])
        for place, (_, answered) in enumerate(story[:-1]):
            if answered:
                back = receipt("undelivered", number * 10 + place, code=30006)
                keep_receipt(ledger, back, now=NOW + DAY)
        assert stands(ledger, number) == (S.ACCEPTED if story[-1][1] else S.UNKNOWN), (story, turn)
    assert broken(ledger) == []


# What one message told of several things.


def noted(journal: Journal, origin: str, place: int, channel: str, *numbers: int) -> None:
    """A message that told of these, and was taken."""
    told = tuple((owed(number).key, numbered(number)) for number in numbers)
    one = Posted(f"a{place}", place, NOW + place * MINUTE, channel, told)
    journal.begun(origin, one)
    journal.ended(origin, one, sid(place))


def of_three(engine: Engine) -> list[str]:
    return [stands(engine, number) for number in (1, 2, 3)]


@pytest.fixture
def office(ledger: Engine, origin: str, tmp_path: Path) -> Resources:
    """Three messages that wait, as in the copy."""
    assert origin
    for number in (1, 2, 3):
        planned(ledger, number, ("sms", "email"))
    return replace(resources_over(ledger, Hand(NOW + DAY)), journal=Journal(tmp_path / "journal", "here"))


def test_what_left_a_message_before_it_was_told_by_the_next_channel_is_decided_anew(
    office: Resources, origin: str
) -> None:
    assert office.journal is not None
    noted(office.journal, origin, 1, "sms", 1, 2, 3)
    noted(office.journal, origin, 2, "email", 1, 3)
    compare(office)
    keep_receipt(office.engine, receipt("undelivered", 1, code=30006), now=NOW + DAY)
    assert of_three(office.engine) == [S.ACCEPTED, S.PLANNED, S.ACCEPTED]
    assert broken(office.engine) == []


@pytest.mark.parametrize("lead", [1, 2])
def test_what_was_told_alone_and_then_together_is_told_by_what_told_it_last(
    office: Resources, origin: str, lead: int
) -> None:
    assert office.journal is not None
    noted(office.journal, origin, 1, "sms", 1, 3)
    noted(office.journal, origin, 2, "sms", 2)
    noted(office.journal, origin, 3, "email", *([1, 2, 3] if lead == 1 else [2, 3, 1]))
    compare(office)
    for number in (1, 2):
        keep_receipt(office.engine, receipt("undelivered", number, code=30006), now=NOW + DAY)
    assert of_three(office.engine) == [S.ACCEPTED, S.ACCEPTED, S.ACCEPTED]
    assert broken(office.engine) == []


def test_what_is_found_of_an_earlier_message_joins_it_with_the_later_one(
    office: Resources, origin: str, tmp_path: Path
) -> None:
    assert office.journal is not None
    noted(office.journal, origin, 2, "email", 1)
    other = Journal(tmp_path / "another machine", "there")
    noted(other, origin, 1, "sms", 1, 2)
    compared(office, [office.journal, other])
    keep_receipt(office.engine, receipt("undelivered", 1, code=30006), now=NOW + DAY)
    assert of_three(office.engine) == [S.ACCEPTED, S.ACCEPTED, S.PLANNED]
    assert broken(office.engine) == []


# What Twilio holds.


def test_what_twilio_held_when_the_ledger_was_set_back_is_taken_back_and_told_once_if_it_is_still_true(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    office = Office(sqlite_ledger, tmp_path)
    office.resources = replace(office.resources, journal=Journal(tmp_path / "journal", "here"))
    claimed = office.claims()
    put_back = copied_aside(office.engine, tmp_path)
    for claim in claimed:
        tell(office.resources, claim, office.read_again, flow_run_id=None)
    assert office.row().state == S.SCHEDULED

    office.engine = put_back()
    journal = Journal(tmp_path / "journal", "here")
    office.resources = replace(office.resources, engine=office.engine, journal=journal)
    office.twilio.copies.append(replace(office.twilio.copies[0], sid=sid(9), body="of something else"))
    office.passes(MINUTE)
    compare(office.resources)
    office.until(NOW + 20 * MINUTE)
    assert [one.cancelled for one in office.twilio.copies] == [True, False]
    assert office.row().state == S.PLANNED
    tenants.set_brake(office.engine, stopped=False, by="person", why="", scope="all", now=office.clock())
    office.tells()
    office.until(NOW + 90 * MINUTE)
    assert [one.sid for one in office.twilio.went_out()] == [sid(9), sid(3)]


@pytest.mark.parametrize("code", [21610, 30006])
def test_what_came_back_from_an_address_that_is_lost_is_said_of_no_address(
    ledger: Engine, origin: str, tmp_path: Path, code: int
) -> None:
    journal = Journal(tmp_path / "journal", "here")
    noted(journal, origin, 1, "sms", 1)
    compare(replace(resources_over(ledger, Hand(NOW + DAY)), journal=journal))
    keep_receipt(ledger, receipt("undelivered", 1, code=code), now=NOW + DAY)
    assert stands(ledger, 1) == S.UNDELIVERED
    assert (counted(ledger, Preference), counted(ledger, ConsentWish)) == (0, 0)
    assert broken(ledger) == []
