"""Xero's dates: calendar dates stay put, instants are UTC, nonsense is refused by name."""

import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duebell.errors import BadAnswer
from duebell.xero.dates import calendar_date, instant
from duebell.xero.reader import BadField

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SANE_MOMENTS = st.integers(0, (LATEST - EARLIEST) // MICROSECOND).map(lambda n: EARLIEST + n * MICROSECOND)
SUFFIXES = st.sampled_from(["", "+0000", "+1300", "-0500", "-1200"])


def ms_date(moment: datetime, suffix: str) -> str:
    milliseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return f"/Date({milliseconds}{suffix})/"


@settings(deadline=None)
@given(SANE_MOMENTS, SUFFIXES)
def test_the_suffix_of_an_ms_date_never_moves_the_instant(moment: datetime, suffix: str) -> None:
    whole = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert instant("UpdatedDateUTC", ms_date(moment, suffix)) == whole
    assert calendar_date("DueDate", ms_date(moment, suffix)) == whole.date()


@settings(deadline=None)
@given(SANE_MOMENTS)
def test_a_calendar_date_is_its_first_ten_characters_whatever_follows(moment: datetime) -> None:
    for text in (moment.isoformat(), moment.date().isoformat(), f"{moment.date().isoformat()}T00:00:00"):
        assert calendar_date("DueDateString", text) == moment.date()


@settings(deadline=None)
@given(SANE_MOMENTS)
def test_an_instant_without_a_zone_is_utc(moment: datetime) -> None:
    naive = moment.replace(tzinfo=None).isoformat()
    assert instant("eventDateUtc", naive) == instant("eventDateUtc", f"{naive}Z") == moment


def test_f033_the_spellings_that_xero_documents_are_read() -> None:
    assert instant("f", "/Date(1439434356790)/") == datetime(2015, 8, 13, 2, 52, 36, 790000, UTC)
    assert instant("f", "/Date(1419937200000+1300)/") == datetime(2014, 12, 30, 11, tzinfo=UTC)
    assert instant("f", "2019-12-07T18:46:19.5165400") == datetime(2019, 12, 7, 18, 46, 19, 516540, UTC)
    assert instant("f", "2026-11-20T01:15:39.902") == datetime(2026, 11, 20, 1, 15, 39, 902000, UTC)
    assert instant("f", "2018-11-02T16:31:30Z") == datetime(2018, 11, 2, 16, 31, 30, tzinfo=UTC)
    assert instant("f", "2018-11-02T16:31:30+13:00") == datetime(2018, 11, 2, 3, 31, 30, tzinfo=UTC)
    assert calendar_date("f", "2018-12-30T00:00:00") == date(2018, 12, 30)


NONSENSE: list[object] = [
    "",
    "soon",
    "/Date()/",
    "/Date(12.5)/",
    "/Date(1e12)/",
    "Date(1439434356790)",
    "/Date(1439434356790)/ ",
    "/Date(999999999999999)/",
    "/Date(-62135596800000+0000)/",
    "/Date(٣)/",
    f"/Date({'9' * 5000})/",
    "2019-02-30T00:00:00",
    "0001-01-01T00:00:00",
    "2019-W01-1",
    "20190101",
    "2019-01-01T25:00:00",
    "2019-01-01 00:00:00",
    1439434356790,
    None,
    True,
    [],
]


@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_is_refused_as_an_instant_and_the_field_is_named(value: object) -> None:
    with pytest.raises(BadField, match=r"^Invoice\.UpdatedDateUTC is not a moment in time$"):
        instant("Invoice.UpdatedDateUTC", value)


@pytest.mark.parametrize("value", [value for value in NONSENSE if value != "2019-01-01T25:00:00"])
def test_f033_nonsense_is_refused_as_a_calendar_date_and_the_field_is_named(value: object) -> None:
    with pytest.raises(BadField, match=r"^Invoice\.DueDate is not a calendar date$"):
        calendar_date("Invoice.DueDate", value)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_date_or_a_bad_field_and_nothing_else(text: str) -> None:
    readers: list[Callable[[str, object], date]] = [instant, calendar_date]
    for read in readers:
        try:
            found: date | BadField = read("field", text)
        except BadField as problem:
            found = problem
        assert isinstance(found, date) or str(found).startswith("field is not a ")


def test_a_bad_field_is_a_bad_answer_and_survives_pickling() -> None:
    problem = pickle.loads(pickle.dumps(BadField("Invoice.DueDate", "a calendar date")))
    assert isinstance(problem, BadAnswer)
    assert str(problem) == "Invoice.DueDate is not a calendar date"
