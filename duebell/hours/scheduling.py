"""The times of a message that a provider holds: when it goes out, when it is looked at, when it cannot come.

Twilio takes a scheduled message only while its time lies far enough ahead
(twilio.com/docs/api/errors/35115), which no other way of sending offers: from then on a POST that is still
under way is refused, and what is not there by then never will be. SendGrid takes an email at any time, but
discards what comes in a batch that was cancelled.
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

BATCH_CLOSES = timedelta(minutes=10)
"""How long before its time SendGrid takes no email back any more
(twilio.com/docs/sendgrid/api-reference/cancel-scheduled-sends).
"""

ON_ITS_WAY = timedelta(minutes=1)
"""How long the wish to take an email back may be under way."""

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
    """How long its provider holds a message."""
    return timedelta(minutes=hold.lead_minutes + hold.slack_minutes)


def taken_no_more(send_at: datetime) -> datetime:
    """From when on Twilio has surely refused what has not reached it."""
    return send_at - SHORTEST_LEAD + CLOCKS_DIFFER


def taken_back_until(send_at: datetime, *, in_batch: bool) -> datetime:
    """Until when a message can be taken back: an SMS to the end, an email in a batch of SendGrid's not."""
    return send_at - ahead_of_time(in_batch=in_batch)


def batch_closes(send_at: datetime) -> datetime:
    """From when on SendGrid may send an email though its batch is cancelled then, by whoever's clock."""
    return send_at - BATCH_CLOSES - CLOCKS_DIFFER


def ahead_of_time(*, in_batch: bool) -> timedelta:
    """How long before it goes out a message can be taken back no more."""
    return BATCH_CLOSES + CLOCKS_DIFFER + ON_ITS_WAY if in_batch else timedelta()


def next_look(send_at: datetime, now: datetime, *, in_batch: bool = False) -> datetime:
    """When a message that its provider holds is looked at the next time."""
    until = taken_back_until(send_at, in_batch=in_batch)
    looks = [*(until - before for before in LOOKS_BEFORE), send_at + LOOK_AFTER]
    return next((at for at in looks if at > now), now + LOOKS_APART)


def is_last_look(until: datetime, now: datetime) -> bool:
    """Whether no later look is sure to come by ``until``, when the message can be taken back no more."""
    return now >= until - SURE_TO_COME
