"""What people said while the clock was ahead is dated when it is right: what they say then comes after it."""

from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import select

from duebell.ledger import consent_lines, wishes
from duebell.ledger.clock_put_right import put_right
from duebell.ledger.engine import reading
from duebell.ledger.inbound import keep_inbound, revocations
from duebell.ledger.tables import ConsentLine, ConsentWish, GroupLine, InboundText, Preference
from duebell.ledger.writing import writing
from duebell.twilio.inbound import read_inbound
from tests.support_facts import CONTACT, MINUTE, MOBILE, NOW, OURS, TENANT

HOUR = timedelta(hours=1)
AHEAD, RIGHT = NOW + 13 * HOUR, NOW + MINUTE
SENDER = "MG" + "1" * 32


def is_put_right(engine: Engine, now: datetime) -> None:
    with writing(engine, now) as book:
        put_right(book, MINUTE)


def hears(engine: Engine, word: str, number: int, now: datetime) -> None:
    fields = [("MessageSid", f"SM{number}"), ("From", MOBILE), ("To", OURS.own), ("Body", word)]
    with writing(engine, now) as book:
        keep_inbound(book, read_inbound(fields), MOBILE, OURS)


def dates(engine: Engine) -> list[datetime | None]:
    with reading(engine) as session:
        wish, line = session.exec(select(ConsentWish)).one(), session.exec(select(ConsentLine)).one()
        preference, text = session.exec(select(Preference)).one(), session.exec(select(InboundText)).one()
        group = session.exec(select(GroupLine)).one()
        return [wish.wished_at, line.wished_at, preference.changed_at, text.received_at, group.written_at,
                group.adding_since]  # fmt: skip


def test_what_was_learned_by_a_clock_ahead_is_dated_when_it_is_right_and_posted_as_of_now(
    ledger: Engine,
) -> None:
    hears(ledger, "STOP", 1, AHEAD)
    with writing(ledger, AHEAD) as book:
        line = GroupLine(tenant_id=TENANT, contact_id=CONTACT, group_name="No SMS", address=MOBILE,
                         wanted=True, stands="owed", adding_since=AHEAD, written_at=AHEAD)  # fmt: skip
        book.session.add(line)
    with writing(ledger, RIGHT) as book:
        consent_lines.lay_out(book, [MOBILE], lambda _address, _wish: frozenset({SENDER}), "")
        [line_id] = consent_lines.due(book.session, RIGHT, {SENDER}, 25)
        [owed] = consent_lines.claim(book, [line_id], lambda: "c" * 32)
    assert owed.at == RIGHT, "no consent is dated ahead"
    assert dates(ledger) == [AHEAD] * 6
    is_put_right(ledger, RIGHT)
    assert dates(ledger) == [RIGHT] * 6
    is_put_right(ledger, RIGHT + HOUR)
    assert dates(ledger) == [RIGHT] * 6


def test_a_start_that_came_by_the_right_clock_is_behind_for_no_longer_than_it_takes(ledger: Engine) -> None:
    hears(ledger, "STOP", 1, AHEAD)
    is_put_right(ledger, RIGHT)
    hears(ledger, "START", 2, RIGHT + MINUTE)
    with reading(ledger) as session:
        assert wishes.known(session, [MOBILE])[MOBILE].at == RIGHT + MINUTE


def test_who_asked_for_an_end_after_they_were_allowed_is_not_settled_by_that_when_both_are_put_right(
    ledger: Engine,
) -> None:
    hears(ledger, "STOP", 1, AHEAD)
    hears(ledger, "START", 2, AHEAD + MINUTE)
    hears(ledger, "please stop texting me", 3, AHEAD + HOUR)
    is_put_right(ledger, RIGHT)
    assert [one.sid for one in revocations(ledger)] == ["SM3"]
