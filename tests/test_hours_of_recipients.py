"""By whose clock a message waits: that of the number's country, of the contact's, and of the state in it."""

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from duebell.keys import INVOICE_ISSUED
from duebell.model import Contact, Phone, PhoneType
from duebell.policy.verdict import Circumstances, Hold, Reason, Send, Verdict, on_invoice_issued
from duebell.policy_file.policy import Policy
from duebell.policy_file.sections import MessagePolicy
from duebell.policy_file.shapes import Channel
from duebell.showing import explaining
from tests.support_facts import a_contact, an_invoice, circumstances, keep_contact, open_tenant
from tests.support_overdue import Office, office_over

DAY = datetime(2026, 11, 20)  # noqa: DTZ001 - a Friday, wherever it is read
HOURS = Policy().invoice_issued
EMAIL = "accounts@rimu.test"
ORGANISATIONS = {"GB": "Europe/London", "NZ": "Pacific/Auckland", "AU": "Australia/Sydney"}


def on_the_clock(zone: str, clock: str, day: datetime = DAY) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return day.replace(hour=hour, minute=minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def texted(e164: str, country: str = "", state: str = "") -> Contact:
    return a_contact(phones=(Phone(PhoneType.MOBILE, "", "", e164),), country=country, region=state)


def mailed(country: str, state: str = "", e164: str = "") -> Contact:
    phones = (Phone(PhoneType.MOBILE, "", "", e164),) if e164 else ()
    return a_contact(email=EMAIL, phones=phones, country=country, region=state)


def about(organisation: str, now: datetime, hours: MessagePolicy) -> Circumstances:
    policy, zone = Policy().model_copy(update={"invoice_issued": hours}), ORGANISATIONS[organisation]
    return circumstances(policy=policy, country=organisation, timezone=zone, seen_at=now, now=now)


def decided(organisation: str, customer: Contact, now: datetime, **changes: time) -> Verdict:
    """What a firm of this country decides, with the shipped hours but for changes."""
    channel = Channel.EMAIL if customer.email else Channel.SMS
    hours = HOURS.model_copy(update={"channels": (channel,), **changes})
    return on_invoice_issued(an_invoice(issued_on=None), customer, about(organisation, now, hours))


OF_ONE_CLOCK = [
    (texted("+18764101234"), "America/Jamaica"),
    (texted("+14413701234"), "Atlantic/Bermuda"),
    (texted("+13453231234"), "America/Cayman"),
    (texted("+12462501234"), "America/Barbados"),
    (texted("+77011234567"), "Asia/Almaty"),
    (texted("+213551234567"), "Africa/Algiers"),
    (texted("+447400123456"), "Europe/London"),
    (texted("+61412345678", state="NSW"), "Australia/Sydney"),
    (texted("+61412345678", "Australia", "New South Wales"), "Australia/Sydney"),
    (texted("+61412345678", "Australia", "vic."), "Australia/Melbourne"),
    (texted("+61412345678", "AU", "Qld"), "Australia/Brisbane"),
    (texted("+61412345678", "Australia", "W.A."), "Australia/Perth"),
    (texted("+12125550123", "USA", "California"), "America/New_York"),
    (mailed("United Kingdom"), "Europe/London"),
    (mailed("Jamaica"), "America/Jamaica"),
    (mailed("USA", "NY"), "America/New_York"),
    (mailed("Canada", "Québec"), "America/Toronto"),
    (mailed("Australia", "WA"), "Australia/Perth"),
    (mailed("United States", "WA"), "America/Los_Angeles"),
    (mailed("USA", e164="+13105550123"), "America/Los_Angeles"),
    (mailed("", e164="+447400123456"), "Europe/London"),
    (mailed("Japan", e164="+447400123456"), "Asia/Tokyo"),
]


@pytest.mark.parametrize("organisation", ["GB", "NZ"])
@pytest.mark.parametrize(("customer", "theirs"), OF_ONE_CLOCK)
def test_a_customer_hears_from_eight_to_nine_of_their_own_clock_and_at_no_other_hour(
    customer: Contact, theirs: str, organisation: str
) -> None:
    opening = on_the_clock(theirs, "08:00")
    night = on_the_clock(theirs, "00:30")
    while night < opening:
        held = decided(organisation, customer, night)
        assert isinstance(held, Hold)
        assert (held.reason, held.not_before) == (Reason.OUTSIDE_WINDOW, opening)
        night += timedelta(minutes=50)
    sent = decided(organisation, customer, opening)
    assert isinstance(sent, Send)
    assert sent.open_until == on_the_clock(theirs, "21:00")
    assert isinstance(decided(organisation, customer, on_the_clock(theirs, "21:00")), Hold)


@pytest.mark.parametrize("typed", ["", "somewhere"])
def test_by_email_the_organisation_s_clock_counts_where_no_country_is_known(typed: str) -> None:
    customer = mailed(typed)
    assert isinstance(decided("GB", customer, on_the_clock("Europe/London", "08:00")), Send)
    assert isinstance(decided("GB", customer, on_the_clock("Europe/London", "07:59")), Hold)


OF_SEVERAL = [
    # whose clock opens last and whose closes first, on this day
    (texted("+61412345678"), "Australia/Perth", "Australia/Sydney"),
    (texted("+61412345678", "New Zealand", "WA"), "Australia/Perth", "Australia/Sydney"),
    (texted("+34612345678"), "Atlantic/Canary", "Europe/Madrid"),
    (texted("+64211234567"), "Pacific/Auckland", "Pacific/Chatham"),
    (texted("+79161234567"), "Europe/Moscow", "Asia/Kamchatka"),
    (mailed("Australia"), "Australia/Perth", "Australia/Sydney"),
    (mailed("USA"), "Pacific/Honolulu", "America/New_York"),
    (mailed("USA", "TX"), "America/Denver", "America/Chicago"),
    (mailed("Canada"), "America/Vancouver", "America/St_Johns"),
    (mailed("Russia"), "Europe/Moscow", "Asia/Kamchatka"),
]


@pytest.mark.parametrize(("customer", "last", "first"), OF_SEVERAL)
def test_in_a_country_of_several_clocks_it_is_day_by_all_of_them(
    customer: Contact, last: str, first: str
) -> None:
    opening = on_the_clock(last, "08:00")
    held = decided("GB", customer, opening - timedelta(minutes=1))
    assert isinstance(held, Hold)
    assert held.not_before == opening
    sent = decided("GB", customer, opening)
    assert isinstance(sent, Send)
    assert sent.open_until == on_the_clock(first, "21:00", day_of(opening, first))


def day_of(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, tzinfo=None)


def test_hours_that_a_country_s_clocks_do_not_share_are_those_that_most_of_them_do() -> None:
    """From nine to five in Moscow it is never so in Kamchatka; in Vladivostok it is, for an hour."""
    office = {"opens": time(9), "closes": time(17)}
    morning = on_the_clock("Europe/Moscow", "09:00")
    sent = decided("GB", texted("+79161234567"), morning, **office)
    assert isinstance(sent, Send)
    assert sent.open_until is not None
    assert sent.open_until == on_the_clock("Asia/Vladivostok", "17:00")
    held = decided("GB", texted("+79161234567"), sent.open_until, **office)
    assert isinstance(held, Hold)
    assert held.not_before == morning + timedelta(days=1)


CASES = [(customer, theirs) for customer, theirs, *_ in (*OF_ONE_CLOCK, *OF_SEVERAL)]


@given(st.sampled_from(CASES), st.integers(0, 14 * 24 * 4), st.sampled_from(["GB", "AU"]))
def test_a_hold_for_its_hours_names_the_clocks_that_were_closed(
    case: tuple[Contact, str], quarters: int, organisation: str
) -> None:
    customer, theirs = case
    now = DAY.replace(tzinfo=UTC) + timedelta(minutes=15) * quarters
    verdict = decided(organisation, customer, now)
    closed = verdict.closed_by if isinstance(verdict, Hold) else ()
    assert bool(closed) is isinstance(verdict, Hold)
    for zone in closed:
        assert not is_open(now, zone, HOURS)
    readings = [now.astimezone(ZoneInfo(zone)).time() for zone in closed]
    assert len(readings) == len(set(readings))
    if isinstance(verdict, Send):
        assert is_open(now, theirs, HOURS)


def is_open(now: datetime, zone: str, hours: MessagePolicy) -> bool:
    """Open, and for so long that a text can still arrive."""
    end = (now + timedelta(minutes=5)).astimezone(ZoneInfo(zone)).time()
    return hours.opens <= now.astimezone(ZoneInfo(zone)).time() < hours.closes and end <= hours.closes


@pytest.fixture
def office(sqlite_ledger: Engine, tmp_path: Path) -> Office:
    """A firm in Sydney, on a morning when it is too early for its customers in Perth."""
    open_tenant(sqlite_ledger, country="AU", timezone="Australia/Sydney")
    shipped = Path("deployments/policy.toml").read_text()
    return office_over(sqlite_ledger, tmp_path, on_the_clock("Australia/Sydney", "08:30"), shipped)


def explained(office: Office, **address: str) -> list[str]:
    """What is explained of a customer with an Australian mobile and this address."""
    at = {"AddressType": "STREET", **address}
    keep_contact(office.engine, mobile="0412 345 678", read_at=office.clock.now, Addresses=[at])
    office.keeps(1, DateString="2026-11-20T00:00:00")
    office.runs(office.hears(1))
    [person] = explaining.explain(office.resources, "INV-0001", INVOICE_ISSUED).people
    return [line for step in person.steps for line in (step.what, *step.details)]


def test_explain_names_the_clocks_and_what_they_read(office: Office) -> None:
    held, *details = explained(office, Country="Australia")
    assert held == (
        "waits until 20 Nov 2026 11:00 (sms to +61•••••678): it is outside the hours in which this message "
        "may go out, by the clock of Australia/Brisbane (Fri 07:30), Australia/Eucla (Fri 06:15), "
        "Australia/Perth (Fri 05:30)"
    )
    assert "decided again from what was kept: the same" in details
    assert office.phones.heard == []


def test_a_customer_of_a_known_state_hears_by_the_clock_there(office: Office) -> None:
    explained(office, Country="Australia", Region="NSW")
    assert [number for number, _ in office.phones.heard] == ["+61412345678"]
