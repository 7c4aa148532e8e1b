"""The side journal: lines that outlive the ledger, and what they bring back into one that was set back."""

import multiprocessing
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from sqlmodel import col, select

from duebell.keys import INVOICE_ISSUED
from duebell.ledger import notifications, tenants, trail, unsettled
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.invariants import broken
from duebell.ledger.notifications import Claim
from duebell.ledger.tables import Notification, SQLModel
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.resources import Resources
from duebell.safekeeping.journal import KEPT, Journal, Posted
from duebell.safekeeping.quarantine import Compared, compare
from duebell.sending.giving_back import Said
from duebell.sending.telling import render, rules_of, tell
from duebell.settling.settling import settle
from duebell.states import NotificationState
from tests.support_facts import (
    ACCOUNT,
    MINUTE,
    MOBILE,
    NOW,
    TENANT,
    UNKNOWN,
    Hand,
    conclude,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    resources_over,
    sent_off,
    sid,
    the_attempt,
    the_notification,
)

S = NotificationState
ORIGIN, TODAY = "a ledger", f"{NOW:%Y-%m-%d}"


def posted(number: int = 1, **changes: Any) -> Posted:
    usual = Posted(
        f"a{number}", 1, NOW, "sms", ((f"{TENANT}:invoice_issued:{number}::contact:c", str(number)),)
    )
    return replace(usual, **changes)


def journal_in(folder: Path) -> Journal:
    return Journal(folder / "journal", "here")


def test_a_line_is_read_as_it_was_written_and_its_outcome_with_it(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    for number in (1, 2, 3):
        journal.begun(ORIGIN, posted(number))
    journal.ended(ORIGIN, posted(1), sid(1))
    journal.ended(ORIGIN, posted(2), None)
    journal.begun("another ledger", posted(4))
    assert journal.read(ORIGIN, TODAY).posted == (
        posted(1, sid=sid(1)),
        posted(2, made_nothing=True),
        posted(3),
    )
    [file] = journal.folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_a_power_cut_left_of_a_line_spoils_no_other(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.begun(ORIGIN, posted(1))
    [file] = journal.folder.iterdir()
    file.write_bytes(file.read_bytes() + b'\n{"ledger":"a led')
    journal.begun(ORIGIN, posted(2))
    read = journal.read(ORIGIN, TODAY)
    assert [one.attempt_id for one in read.posted] == ["a1", "a2"]
    assert read.unreadable == 1


def test_old_days_are_deleted_and_the_others_kept(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    for number, at in enumerate((NOW - KEPT - timedelta(days=1), NOW - KEPT, NOW)):
        journal.begun(ORIGIN, posted(number, at=at))
    assert journal.prune(NOW) == 1
    assert journal.days() == [TODAY, f"{NOW - KEPT:%Y-%m-%d}"]


def append_many(folder: Path, first: int) -> None:
    """What one of several workers of a machine does."""
    for number in range(first, first + 150):
        journal_in(folder).begun(ORIGIN, posted(number))


def test_several_workers_append_to_one_file_and_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=append_many, args=(tmp_path, first)) for first in (0, 1000)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    read = journal_in(tmp_path).read(ORIGIN, TODAY)
    assert (len(read.posted), read.unreadable) == (300, 0)


class Twilio:
    """Takes what it is asked to send, or hangs up without an answer."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.hangs_up = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"messages": [], "page_size": 50, "next_page_uri": None})
        self.messages.append(request.content.decode())
        if self.hangs_up:
            raise httpx.ReadTimeout("hung up", request=request)
        body = {
            "sid": sid(len(self.messages)),
            "status": "queued",
            "num_segments": "1",
            "account_sid": ACCOUNT,
        }
        return httpx.Response(201, json=body)


@pytest.fixture
def twilio() -> Twilio:
    return Twilio()


def opened(engine: Engine, twilio: Twilio, folder: Path, now: datetime = NOW) -> Resources:
    """An installation as a process opens it: with its journal beside the ledger."""
    (folder / "policy.toml").write_text('[invoice_issued]\nopens = "00:00"\ncloses = "00:00"\n')
    policy = str(folder / "policy.toml")
    made = resources_over(engine, Hand(now), twilio=twilio, DUEBELL_POLICY=policy)
    return replace(made, journal=journal_in(folder))


@pytest.fixture
def office(ledger: Engine, twilio: Twilio, tmp_path: Path) -> Resources:
    """A customer with three invoices."""
    open_tenant(ledger)
    keep_contact(ledger)
    for number in (1, 2, 3):
        keep_invoice(ledger, invoice_body(numbered(number)))
    return opened(ledger, twilio, tmp_path)


def origin_of(engine: Engine) -> str:
    with reading(engine) as session:
        return trail.origin(session)


def claims_of(office: Resources, *numbers: int) -> list[Claim]:
    ids = [numbered(number) for number in numbers]
    with writing(office.engine, office.clock()) as book:
        rows = plan_kind(
            book, TENANT, INVOICE_ISSUED, ids, rules_of(office), actor="test", flow_run_id="run 1"
        )
        return notifications.claim_all(book, rows, "run 1")


def fresh(_tenant: str, _invoices: Sequence[str], _since: datetime) -> None:
    raise AssertionError("the invoices were read a moment ago")


def told(office: Resources, claim: Claim) -> Said:
    assert render(office, claim) is None
    return tell(office, claim, fresh, flow_run_id="run 1")


def send(office: Resources, number: int) -> Said:
    [claim] = claims_of(office, number)
    return told(office, claim)


def copied_aside(engine: Engine, folder: Path) -> Callable[[], Engine]:
    """Copy the ledger; returns what puts the copy back and opens it."""
    if engine.dialect.name == "sqlite":
        file, copy = Path(str(engine.url.database)), folder / "yesterday.db"
        with closing(sqlite3.connect(file)) as theirs, closing(sqlite3.connect(copy)) as ours:
            theirs.backup(ours)

        def put_back() -> Engine:
            engine.dispose()
            for left in (f"{file}-wal", f"{file}-shm"):
                Path(left).unlink(missing_ok=True)
            shutil.copyfile(copy, file)
            return open_ledger(engine.url.render_as_string())

        return put_back
    tables = SQLModel.metadata.sorted_tables
    with engine.connect() as connection:
        rows = [[dict(row) for row in connection.execute(table.select()).mappings()] for table in tables]

    def restore() -> Engine:
        with engine.begin() as connection:
            for table in reversed(tables):
                connection.execute(table.delete())
            for table, copies in zip(tables, rows, strict=True):
                if copies:
                    connection.execute(table.insert(), copies)
        return engine

    return restore


def test_f099_a_ledger_that_was_restored_from_yesterday_tells_nobody_twice(
    office: Resources, twilio: Twilio, tmp_path: Path
) -> None:
    waits_since_yesterday = claims_of(office, 3)
    put_back = copied_aside(office.engine, tmp_path)
    assert send(office, 1).state == S.ACCEPTED
    twilio.hangs_up = True
    assert send(office, 2).state == S.UNKNOWN
    twilio.hangs_up = False
    assert told(office, waits_since_yesterday[0]).state == S.ACCEPTED

    later = opened(put_back(), twilio, tmp_path, NOW + MINUTE)
    for number in (1, 2, 3):  # Xero is asked again, and all of it is found as news
        keep_invoice(later.engine, invoice_body(numbered(number)), read_at=NOW + MINUTE)
    for claim in [*claims_of(later, 1), *claims_of(later, 2)]:
        told(later, claim)

    assert len(twilio.messages) == 3
    assert states(later.engine) == {1: S.ACCEPTED, 2: S.UNKNOWN, 3: S.ACCEPTED}
    [brake] = tenants.brakes(later.engine)
    assert (brake.scope, brake.by) == ("all", "journal")
    assert "did not know of 3 messages" in brake.why
    assert broken(later.engine) == []

    after = opened(later.engine, twilio, tmp_path, NOW + 30 * MINUTE)
    with reading(after.engine) as session:
        [lost] = unsettled.unsettled(session, now=after.clock())
    assert settle(after, lost).outcome == "parked"
    tenants.set_brake(after.engine, stopped=False, by="person:test", why="", scope="all", now=after.clock())
    assert compare(after) == Compared()
    assert claims_of(after, 1, 2, 3) == []
    assert broken(after.engine) == []
    if after.engine is not office.engine:
        after.engine.dispose()


def states(engine: Engine) -> dict[int, str]:
    """The state of the message about each of the numbered invoices."""
    with reading(engine) as session:
        rows = session.exec(select(Notification.invoice_id, Notification.state)).all()
    return {number: state for number in (1, 2, 3) for invoice, state in rows if invoice == numbered(number)}


def test_a_ledger_that_agrees_with_its_journal_is_left_alone(office: Resources, tmp_path: Path) -> None:
    send(office, 1)
    before = trail.entries(office.engine, "", 100)
    assert compare(office) == Compared()
    assert trail.entries(office.engine, "", 100) == before
    assert tenants.brakes(office.engine) == []


def test_the_days_before_one_that_is_known_are_not_read(
    office: Resources, twilio: Twilio, tmp_path: Path
) -> None:
    send(office, 1)
    later = opened(office.engine, twilio, tmp_path, NOW + MINUTE)
    send(later, 2)
    origin = origin_of(office.engine)
    assert later.journal is not None
    later.journal.begun(origin, posted(9, at=NOW - timedelta(days=1)))
    assert compare(later) == Compared()


def test_a_ledger_that_was_set_back_under_a_process_at_work_is_found_by_the_next_comparison(
    office: Resources, twilio: Twilio, tmp_path: Path
) -> None:
    claims_of(office, 3)
    put_back = copied_aside(office.engine, tmp_path)
    send(office, 1)
    next_day = NOW + timedelta(days=1)
    at_work = replace(office, engine=put_back(), clock=Hand(next_day))
    keep_contact(at_work.engine, read_at=next_day)
    keep_invoice(at_work.engine, invoice_body(numbered(2)), read_at=next_day)
    send(at_work, 2)
    later = opened(at_work.engine, twilio, tmp_path, next_day + MINUTE)
    assert compare(later) == Compared(forgotten=1)
    assert compare(opened(at_work.engine, twilio, tmp_path, next_day + 2 * MINUTE)) == Compared()


def test_a_line_of_a_wrong_clock_hides_none_of_the_days_before(
    office: Resources, twilio: Twilio, tmp_path: Path
) -> None:
    ahead = NOW + timedelta(days=3)
    for number in (1, 2):
        keep_invoice(office.engine, invoice_body(numbered(number)), read_at=ahead)
        send(opened(office.engine, twilio, tmp_path, ahead + number * timedelta(seconds=1)), number)
    origin = origin_of(office.engine)
    assert office.journal is not None
    office.journal.begun(origin, posted(9))
    assert compare(opened(office.engine, twilio, tmp_path, NOW + MINUTE)) == Compared(forgotten=1)


def test_days_that_made_no_message_hide_none_of_those_before(office: Resources) -> None:
    compare(office)
    origin = origin_of(office.engine)
    assert office.journal is not None
    office.journal.begun(origin, posted(9, at=NOW - timedelta(days=3)))
    for number, days in ((7, 2), (8, 1)):
        nothing = posted(number, at=NOW - timedelta(days=days))
        office.journal.begun(origin, nothing)
        office.journal.ended(origin, nothing, None)
    assert compare(office) == Compared(forgotten=1)
    [brake] = tenants.brakes(office.engine)
    assert "did not know of 1 messages" in brake.why


def test_the_journal_of_another_ledger_stops_nothing(office: Resources, tmp_path: Path) -> None:
    assert office.journal is not None
    office.journal.begun("another ledger", posted(9))
    assert compare(office) == Compared()


def test_what_provably_made_no_message_is_not_missed(office: Resources) -> None:
    origin = origin_of(office.engine)
    assert office.journal is not None
    office.journal.begun(origin, posted(9))
    office.journal.ended(origin, posted(9), None)
    assert compare(office) == Compared()


def test_the_sid_of_a_sender_that_died_before_it_could_write_it_down_is_found(
    ledger: Engine, twilio: Twilio, tmp_path: Path
) -> None:
    sent_off(ledger)
    conclude(ledger, UNKNOWN)
    office = opened(ledger, twilio, tmp_path)
    origin = origin_of(ledger)
    assert office.journal is not None
    office.journal.begun(origin, posted(1))
    office.journal.ended(origin, posted(1), sid(1))
    assert compare(office) == Compared(bound=1)
    assert (the_attempt(ledger).sid, the_notification(ledger).state) == (sid(1), S.ACCEPTED)
    assert tenants.brakes(ledger) == []
    assert broken(ledger) == []


def test_a_journal_that_cannot_be_written_keeps_the_message_back(
    office: Resources, twilio: Twilio, tmp_path: Path
) -> None:
    compare(office)
    (tmp_path / "journal").write_text("a file where the folder should be")
    said = send(office, 1)
    assert (said.state, twilio.messages) == (S.PLANNED, [])
    (tmp_path / "journal").unlink()
    with office.engine.begin() as connection:
        connection.execute(text("UPDATE notification SET not_before = planned_at"))
    [claim] = claims_of(office, 1)
    assert told(office, claim).state == S.ACCEPTED
    assert broken(office.engine) == []


def test_the_journal_holds_no_address_and_no_words(office: Resources, tmp_path: Path) -> None:
    send(office, 1)
    [file] = (tmp_path / "journal").iterdir()
    written = file.read_text()
    assert len(written.split()) == 2
    assert [word for word in (MOBILE, MOBILE[3:], "Rimu", "115", "INV-0001") if word in written] == []


def test_a_message_that_told_several_things_comes_back_as_one(
    office: Resources, twilio: Twilio, tmp_path: Path
) -> None:
    keys = [f"{TENANT}:payment_received:{numbered(70 + one)}::contact:c" for one in (0, 1)]
    origin = origin_of(office.engine)
    assert office.journal is not None
    pairs = tuple((key, numbered(one)) for one, key in enumerate(keys, start=1))
    office.journal.begun(origin, posted(9, told=pairs))
    office.journal.ended(origin, posted(9), sid(9))
    assert compare(office) == Compared(forgotten=1)
    with reading(office.engine) as session:
        rows = session.exec(select(Notification).order_by(col(Notification.notification_id))).all()
    assert [(row.key, row.state, row.lead_id) for row in rows] == [
        (keys[0], S.ACCEPTED, None),
        (keys[1], S.ACCEPTED, rows[0].notification_id),
    ]
    assert broken(office.engine) == []
