"""From one reminder to the next lies what the policy says, wherever the customer is, whoever they became."""

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from duebell.ledger.invariants import broken
from tests.support_facts import OTHER_CONTACT, keep_contact, open_tenant
from tests.support_overdue import Office, at, due, office_over

DUE = date(2026, 11, 2)  # a Monday
DAY = timedelta(days=1)
LONDON, SHIPPED = "+447400123456", "# as shipped\n"


def heard_in_london(office: Office, days: int) -> list[datetime]:
    """When a telephone there rang in the days that follow, with a sweep an hour and the net between them."""
    zone, rang = ZoneInfo("Europe/London"), list[datetime]()
    for _ in range(days * 48):
        office.later(minutes=30)
        office.day()
        office.nets()
        rang += [office.clock.now.astimezone(zone)] * (len(office.phones.to(LONDON)) - len(rang))
    return rang


def test_a_telephone_abroad_is_called_once_a_day_though_ours_begins_amid_its_hours(
    ledger: Engine, tmp_path: Path
) -> None:
    open_tenant(ledger)
    keep_contact(ledger, mobile=LONDON)
    keep_contact(ledger, OTHER_CONTACT, mobile=LONDON, Name="Second")
    office = office_over(ledger, tmp_path, at(DUE + DAY, 9, 3), SHIPPED)
    office.keeps(1, **due(DUE))
    office.keeps(2, **due(DUE, Contact={"ContactID": OTHER_CONTACT}))
    days = [moment.date() for moment in heard_in_london(office, 3)]
    assert days == [DUE + DAY, DUE + 2 * DAY]
    assert broken(office.engine) == []
