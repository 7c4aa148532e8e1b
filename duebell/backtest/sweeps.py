"""When sweeps came: on the hour, while the hours of reminders are open, or those of a team that hears."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from duebell.hours.working_days import Place, next_open_instant
from duebell.ledger.tables import Tenant
from duebell.policy.teams import ways_of_team
from duebell.policy_file.policy import Policy
from duebell.policy_file.sections import WindowPolicy

HOUR = timedelta(hours=1)


class Sweeps:
    """The sweeps of one organisation, by its own clock."""

    def __init__(self, tenant: Tenant, policy: Policy) -> None:
        self._zone = ZoneInfo(tenant.timezone)
        self._place = Place((tenant.timezone,), tenant.country)
        teams = [team for name, team in policy.team.items() if ways_of_team(name, team)]
        reminders = policy.invoice_overdue
        self._windows: list[WindowPolicy] = [reminders, *teams] if reminders.enabled else [*teams]

    def of_day(self, day: date) -> datetime | None:
        """The first sweep on a day or after it; nothing where nobody is to be told of anything."""
        return self.since(datetime.combine(day, time(), self._zone).astimezone(UTC))

    def since(self, moment: datetime) -> datetime | None:
        """The first sweep at a moment or after it."""
        on_the_hour = moment.replace(minute=0, second=0, microsecond=0)
        begins = on_the_hour if on_the_hour == moment else on_the_hour + HOUR
        opens = (next_open_instant(begins, window, self._place) for window in self._windows)
        return min(opens, default=None)
