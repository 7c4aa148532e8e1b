"""The policies of simulated lives: at any hour, and without a limit that makes messages wait for days."""

from typing import TYPE_CHECKING

from tests.support_held import SERVICE_SET
from tests.support_held_email import SENDGRID_SET

if TYPE_CHECKING:
    from tests.support_simulation import Plot

ISSUED = """
[invoice_issued]
opens = "OPENS"
closes = "00:00"
sending = "SENDING"
WAYS
[limits]
messages_an_hour = 100000
"""
OVERDUE = """
[invoice_overdue]
opens = "OPENS"
closes = "00:00"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
on_holidays = true
gap_days = 0
sending = "SENDING"
WAYS
[limits]
messages_an_hour = 100000
reminders_a_day = 10
reminders_a_week = 50
breaker_from = 100000
"""
AN_EMAIL_FOLLOWS = 'channels = ["sms", "email"]\nfall_back = "at_once"\n'
BY_EMAIL_ALONE = 'channels = ["email"]\n'
EMAILS_ARE_HELD = "[hold]\nemails = true\n"
EMAIL_SET = {"EMAIL_FROM": "bills@kauri.example"}
A_WEEK_AGO = "2026-11-13"
"""When invoices were due of which a life reminds: a stage has come for them."""


def policy_of(plot: "Plot") -> str:
    """The policy of a life."""
    policy = OVERDUE if plot.reminds else ISSUED
    policy = policy.replace("OPENS", plot.opens).replace("SENDING", "hold" if plot.holds else "strict")
    ways = AN_EMAIL_FOLLOWS if plot.legs else BY_EMAIL_ALONE if plot.emails else ""
    return policy.replace("WAYS\n", ways) + (EMAILS_ARE_HELD if plot.emails and plot.holds else "")


def senders_of(plot: "Plot") -> dict[str, str]:
    """The variables that say who sends."""
    if plot.emails:
        return SENDGRID_SET
    return (SERVICE_SET if plot.holds else {}) | (EMAIL_SET if plot.legs else {})
