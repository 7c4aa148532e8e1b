"""The times of a message that Twilio holds: when it is to go out, when it is looked at, when it cannot come.

Twilio takes a scheduled message only while its time lies far enough ahead
(twilio.com/docs/api/errors/35115), which no other way of sending offers: from then on a POST that is still
under way is refused, and what is not there by then never will be.
"""

from datetime import datetime, timedelta

from duebell.policy_file.sections import HoldPolicy

SHORTEST_LEAD = timedelta(minutes=5)
"""How near the time to send may be; Twilio's older pages say 15 minutes, so it may be refused sooner."""

CLOCKS_DIFFER = timedelta(minutes=1)
"""How far Twilio's clock may be behind ours."""

ABSENCES_APART = timedelta(minutes=1)
"""How far apart two looks lie that together are proof of absence."""

LOOKS_BEFORE = (timedelta(minutes=3), timedelta(minutes=2), timedelta(minutes=1))
"""How long before it goes out a message is decided on again, the last time on a read of that minute."""

SURE_TO_COME = timedelta(minutes=2)
"""How long before it goes out a look comes in time whatever happens: a run may start more than a minute late,
because there is one a minute, and one that meets three others at work ends at once.
"""

LOOK_AFTER, LOOKS_APART = timedelta(minutes=2), timedelta(minutes=5)
"""When Twilio is asked what became of it, where no receipt came, and how often."""


def time_to_send(now: datetime, hold: HoldPolicy) -> datetime:
    """When a message that is handed to Twilio now is to go out; a whole second, as Twilio writes it."""
    return (now + ahead(hold)).replace(microsecond=0)


def ahead(hold: HoldPolicy) -> timedelta:
    """How long Twilio holds a message."""
    return timedelta(minutes=hold.lead_minutes + hold.slack_minutes)


def taken_no_more(send_at: datetime) -> datetime:
    """From when on Twilio has surely refused what has not reached it."""
    return send_at - SHORTEST_LEAD + CLOCKS_DIFFER


def next_look(send_at: datetime, now: datetime) -> datetime:
    """When a message that Twilio holds is looked at the next time."""
    looks = [*(send_at - before for before in LOOKS_BEFORE), send_at + LOOK_AFTER]
    return next((at for at in looks if at > now), now + LOOKS_APART)


def is_last_look(send_at: datetime, now: datetime) -> bool:
    """Whether no later look before it goes out is sure to come in time."""
    return now >= send_at - SURE_TO_COME
