"""The policies of simulated lives: at any hour, and without a limit that makes messages wait for days."""

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
EMAIL_SET = {"EMAIL_FROM": "bills@kauri.example"}
A_WEEK_AGO = "2026-11-13"
"""When invoices were due of which a life reminds: a stage has come for them."""


def policy_of(*, reminds: bool, holds: bool, legs: bool, opens: str) -> str:
    """The policy of a life."""
    policy = OVERDUE if reminds else ISSUED
    policy = policy.replace("OPENS", opens).replace("SENDING", "hold" if holds else "strict")
    return policy.replace("WAYS\n", AN_EMAIL_FOLLOWS if legs else "")
