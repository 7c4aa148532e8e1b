"""Reading a list that moves: nothing is missed, nothing comes twice, and there is always progress."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.books.polling_seek import OVERLAP, Ask, ListNotFiltered, first_ask, seek
from duebell.books.portions import SMALLEST_PAGE
from duebell.errors import Permanent
from duebell.model import Payment, PaymentStatus, PaymentType
from duebell.xero.records import BadRecord, Record, Records
from duebell.xero.transfer import AnswerTooLarge, AnswerTooSlow
from tests.support_facts import NOW, numbered

MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
CURSOR = NOW + OVERLAP
"""So that a walk begins at ``NOW``."""


def nothing(_server: "Server", _ask: Ask) -> None:
    """Nobody edits anything."""


@dataclass
class Server:
    """A list as Xero keeps it: by the last change, then by id, filtered to the second, on its own clock."""

    changed: list[datetime]
    now: datetime = NOW + timedelta(hours=1)
    between: Callable[["Server", Ask], None] = nothing
    paginated: bool = True
    exclusive: bool = False
    clamped: int = 1_000
    asked: list[tuple[Ask, int]] = field(default_factory=list[tuple[Ask, int]])
    states: list[tuple[str, datetime]] = field(default_factory=list[tuple[str, datetime]])

    def edit(self, number: int) -> None:
        """Somebody changes a record now."""
        self.now += MS
        self.changed[number % len(self.changed)] = self.now

    def read(self, ask: Ask, size: int) -> Records[Payment]:
        """One page."""
        self.now += MS
        self.asked.append((ask, size))
        size = min(size, self.clamped)
        rows = sorted((at, numbered(number)) for number, at in enumerate(self.changed))
        first = ask.since + (SECOND if self.exclusive else timedelta())
        rows = [row for row in rows if row[0].replace(microsecond=0) >= first]
        cut = rows[(ask.page - 1) * size : ask.page * size]
        answer = Records(
            good=tuple(Record(a_payment(key, at), "{}") for at, key in cut),
            read_at=self.now,
            page_count=-(-len(rows) // size) if self.paginated else None,
        )
        self.between(self, ask)
        return answer

    def walk(self, cursor: datetime = CURSOR, size: int = 3) -> datetime | None:
        """Walk through the list; the next cursor."""
        read_to: datetime | None = None
        for records, ended in seek(self.read, cursor, size):
            self.states += [(one.value.payment_id, one.value.updated_at or NOW) for one in records.good]
            read_to = ended or read_to
        return read_to

    def unread(self) -> set[tuple[str, datetime]]:
        """The records whose present state was not read."""
        return {(numbered(number), at) for number, at in enumerate(self.changed)} - set(self.states)


def a_payment(payment_id: str, at: datetime | None) -> Payment:
    return Payment(payment_id, PaymentType.SALE, PaymentStatus.AUTHORISED, updated_at=at)


def test_a_quiet_list_is_read_once_from_the_cursor_less_the_overlap() -> None:
    server = Server([NOW + SECOND * number for number in range(3)])
    assert server.walk(size=100) == server.now
    assert [ask for ask, _ in server.asked] == [first_ask(CURSOR)] == [Ask(NOW)]
    assert timedelta(minutes=10) <= OVERLAP
    assert server.unread() == set()


def test_an_empty_answer_ends_the_walk_and_gives_the_server_s_time() -> None:
    server = Server([NOW - SECOND])
    assert server.walk() == server.now
    assert (server.states, len(server.asked)) == ([], 1)


def test_the_next_page_is_asked_for_from_the_last_change_and_not_by_its_number() -> None:
    server = Server([NOW + SECOND * 5 * number for number in range(7)])
    server.walk()
    assert [ask.page for ask, _ in server.asked] == [1, 1, 1]
    assert [ask.since for ask, _ in server.asked] == [NOW, NOW + 9 * SECOND, NOW + 19 * SECOND]
    assert (server.unread(), len(server.states)) == (set(), 7)


def test_f039_a_record_that_is_edited_between_two_pages_hides_none_of_the_others() -> None:
    def edit_the_first(server: Server, ask: Ask) -> None:
        if len(server.asked) == 1:
            server.edit(0)

    server = Server([NOW + SECOND * number for number in range(9)], between=edit_the_first)
    server.walk()
    assert server.unread() == set()
    assert len(server.states) == 10  # the edited one in both of its states


def test_f040_300_records_of_one_time_over_three_pages_are_all_read() -> None:
    server = Server([NOW + SECOND] * 300)
    server.walk(size=100)
    assert (server.unread(), len(server.states)) == (set(), 300)
    assert [ask.page for ask, _ in server.asked] == [1, 2, 3, 2, 1]


def test_f040_a_record_that_slips_over_a_page_s_edge_within_one_time_is_met_on_the_way_back() -> None:
    def edit_one_of_the_first_page(server: Server, ask: Ask) -> None:
        if len(server.asked) == 1:
            server.edit(0)

    server = Server([NOW + SECOND] * 9, between=edit_one_of_the_first_page)
    server.walk()
    assert server.unread() == set()


def test_after_a_crowded_second_the_walk_goes_on_by_seeking() -> None:
    server = Server([NOW + SECOND] * 7 + [NOW + SECOND * 9 * number for number in range(2, 9)])
    server.walk()
    assert server.unread() == set()
    assert [ask.page for ask, _ in server.asked] == [1, 2, 3, 2, 1, 1, 1, 1]


@given(
    # Milliseconds, mostly of few values, so that they crowd.
    st.lists(st.sampled_from([0, 1, 999, 1000, 1001, 2000, 2500, 9000, 60_000]), min_size=1, max_size=25),
    st.lists(st.lists(st.integers(0, 24), max_size=3), max_size=30),
    st.integers(1, 6),
    st.booleans(),
    st.booleans(),
)
def test_whatever_is_edited_between_the_pages_nothing_is_missed_and_the_walk_ends(
    times: list[int],
    edits: list[list[int]],
    size: int,
    paginated: bool,  # noqa: FBT001 - hypothesis gives it by place
    exclusive: bool,  # noqa: FBT001 - the same
) -> None:
    queue = list(edits)

    def edit(server: Server, ask: Ask) -> None:
        for number in queue.pop(0) if queue else []:
            server.edit(number)

    # Exclusive or not is not documented: the overlap makes the difference harmless, a second at the edge.
    first = NOW + SECOND
    server = Server(
        [first + MS * time for time in times], between=edit, paginated=paginated, exclusive=exclusive
    )
    read_to = server.walk(size=size)
    assert read_to is not None
    assert len(server.states) == len(set(server.states))
    assert len(server.asked) <= 6 * (len(times) + sum(map(len, edits)) + 1)
    # What was edited after the list's end was seen is for the next walk.
    assert {state for state in server.unread() if state[1] <= read_to} == set()

    queue.clear()
    server.walk(read_to, size)
    assert server.unread() == set()


def test_a_page_that_the_server_makes_smaller_is_not_taken_for_the_last() -> None:
    server = Server([NOW + SECOND * number for number in range(350)], clamped=100)
    server.walk(size=1_000)
    assert server.unread() == set()
    without = Server([NOW + SECOND * number for number in range(350)], clamped=100, paginated=False)
    without.walk(size=1_000)
    assert without.unread() == set()


def test_a_page_whose_answer_is_too_large_is_asked_for_in_halves() -> None:
    server = Server([NOW + SECOND] * 300)

    def read(ask: Ask, size: int) -> Records[Payment]:
        if size > 125:
            raise AnswerTooLarge("more than 10 MB")
        return server.read(ask, size)

    found = [one.value.payment_id for records, _ in seek(read, CURSOR, 500) for one in records.good]
    assert len(found) == len(set(found)) == 300
    assert {size for _, size in server.asked} == {125}


def test_a_page_that_xero_is_slow_with_is_asked_for_in_smaller_ones() -> None:
    server = Server([NOW + SECOND * (number // 400) for number in range(900)])

    def read(ask: Ask, size: int) -> Records[Payment]:
        if size > 250:
            raise AnswerTooSlow("ReadTimeout")
        return server.read(ask, size)

    found = [one.value.payment_id for records, _ in seek(read, CURSOR) for one in records.good]
    assert len(found) == len(set(found)) == 900
    assert {size for _, size in server.asked} == {250}


def test_where_xero_does_not_answer_at_all_few_calls_are_spent_on_it() -> None:
    asked: list[int] = []

    def read(_ask: Ask, size: int) -> Records[Payment]:
        asked.append(size)
        raise AnswerTooSlow("ReadTimeout")

    with pytest.raises(AnswerTooSlow):
        list(seek(read, CURSOR))
    assert asked == [1_000, 250, 62]


@given(
    st.lists(st.sampled_from([0, 1, 999, 1000, 1001, 2000, 9000]), min_size=12, max_size=60),
    st.lists(st.lists(st.integers(0, 59), max_size=3), max_size=30),
    st.lists(st.booleans(), max_size=20),
    st.booleans(),
)
def test_wherever_a_walk_goes_over_to_smaller_pages_nothing_is_missed_or_comes_twice(
    times: list[int],
    edits: list[list[int]],
    too_large: list[bool],
    paginated: bool,  # noqa: FBT001 - hypothesis gives it by place
) -> None:
    queue, problems = list(edits), list(too_large)

    def edit(server: Server, ask: Ask) -> None:
        for number in queue.pop(0) if queue else []:
            server.edit(number)

    server = Server([NOW + SECOND + MS * time for time in times], between=edit, paginated=paginated)
    read = server.read

    def sometimes(ask: Ask, size: int) -> Records[Payment]:
        if size > SMALLEST_PAGE and problems and problems.pop(0):
            raise AnswerTooLarge("more than 10 MB")
        return read(ask, size)

    server.read = sometimes
    read_to = server.walk(size=24)
    assert read_to is not None
    assert len(server.states) == len(set(server.states))
    assert {state for state in server.unread() if state[1] <= read_to} == set()


def test_an_answer_that_no_half_makes_small_enough_is_an_error_and_not_a_loop() -> None:
    def read(_ask: Ask, _size: int) -> Records[Payment]:
        raise AnswerTooLarge("more than 10 MB")

    with pytest.raises(AnswerTooLarge):
        list(seek(read, CURSOR))


def page(*times: datetime | None, **more: object) -> Records[Payment]:
    good = tuple(Record(a_payment(numbered(number), at), "{}") for number, at in enumerate(times))
    return Records(good=good, **more)  # type: ignore[arg-type]  # the fields of Records, by name


def test_a_filter_that_the_server_ignores_is_noticed_on_the_first_page() -> None:
    asked: list[Ask] = []

    def read(ask: Ask, _size: int) -> Records[Payment]:
        asked.append(ask)
        return page(NOW - timedelta(days=900), NOW + SECOND, page_count=500)

    with pytest.raises(ListNotFiltered, match="ignored"):
        list(seek(read, CURSOR))
    assert len(asked) == 1
    assert issubclass(ListNotFiltered, Permanent)  # trying again would cost a call and change nothing


def test_a_list_in_another_order_is_refused_because_its_last_row_says_nothing() -> None:
    with pytest.raises(ListNotFiltered, match="order"):
        list(seek(lambda _ask, _size: page(NOW + 2 * SECOND, NOW + SECOND), CURSOR))


def test_pages_that_do_not_turn_are_refused_and_not_read_for_ever() -> None:
    with pytest.raises(ListNotFiltered, match="same as the one before"):
        list(seek(lambda _ask, _size: page(NOW, NOW, page_count=9), CURSOR, 2))


def test_records_without_a_time_and_records_that_cannot_be_read_do_not_end_the_walk() -> None:
    bad = (BadRecord(numbered(7), "Payment.Amount is not an amount"),)
    pages = {1: page(None, None, page_count=2), 2: page(NOW + SECOND, page_count=2, bad=bad)}
    found = list(seek(lambda ask, _size: pages[ask.page], CURSOR, 2))
    assert [len(records.good) for records, _ in found] == [2, 1, 0]
    assert {one.record_id for records, _ in found for one in records.bad} == {numbered(7)}


def test_f041_without_the_server_s_time_the_last_change_that_was_read_is_the_cursor() -> None:
    found = list(seek(lambda _ask, _size: page(NOW, NOW + SECOND, page_count=1), CURSOR))
    assert [ended for _, ended in found] == [NOW + SECOND]
    assert [ended for _, ended in seek(lambda _ask, _size: page(), CURSOR)] == [None]
