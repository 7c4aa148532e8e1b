"""Which settings a process needs for what it is about to do, and where a person finds them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Use(StrEnum):
    """What a process is about to do. None of them is needed to look at the ledger or to run the demo."""

    XERO = "calls to Xero"
    XERO_WEBHOOKS = "Xero's webhooks"
    TWILIO_WEBHOOKS = "Twilio's callbacks"
    SMS = "sending SMS"
    EMAIL = "sending email"


@dataclass(frozen=True, slots=True)
class Problem:
    """One variable at fault: what is wrong and the mend. Never holds a secret's value."""

    name: str
    wrong: str
    mend: str

    def __str__(self) -> str:
        return f"{self.name} {self.wrong}. {self.mend}."


Alternatives = tuple[str, ...]
"""Variables of which one is enough."""

TWILIO_LOGIN: tuple[Alternatives, ...] = (
    ("TWILIO_ACCOUNT_SID",),
    ("TWILIO_AUTH_TOKEN", "TWILIO_API_KEY"),
)
NEEDS: dict[Use, tuple[Alternatives, ...]] = {
    Use.XERO: (("XERO_CLIENT_ID",), ("XERO_CLIENT_SECRET",)),
    Use.XERO_WEBHOOKS: (("XERO_WEBHOOK_KEYS",),),
    # Twilio signs its callbacks with the auth token, whatever key made the call
    # (twilio.com/docs/usage/webhooks/webhooks-security).
    Use.TWILIO_WEBHOOKS: (("TWILIO_AUTH_TOKEN",),),
    Use.SMS: (*TWILIO_LOGIN, ("TWILIO_MESSAGING_SERVICE_SID", "TWILIO_FROM")),
    Use.EMAIL: (("EMAIL_FROM",), *TWILIO_LOGIN),
}
EMAIL_BY_SENDGRID: tuple[Alternatives, ...] = (("EMAIL_FROM",), ("SENDGRID_API_KEY",))

WHERE_TO_FIND: dict[str, str] = {
    "XERO_CLIENT_ID": "developer.xero.com, My Apps, Configuration",
    "XERO_CLIENT_SECRET": "developer.xero.com, My Apps, Configuration, Generate a secret",
    "XERO_WEBHOOK_KEYS": "developer.xero.com, My Apps, Webhooks, Webhooks key",
    "TWILIO_ACCOUNT_SID": "console.twilio.com, Account Info",
    "TWILIO_AUTH_TOKEN": "console.twilio.com, Account Info (it checks callbacks, whatever signs the calls)",
    "TWILIO_MESSAGING_SERVICE_SID": "console.twilio.com, Messaging, Services",
    "EMAIL_FROM": "an address of the domain that was verified with the email provider",
    "SENDGRID_API_KEY": "app.sendgrid.com, Settings, API Keys",
}


def contradictions(given: Mapping[str, str]) -> list[Problem]:
    """What is wrong between two variables. ``given`` is raw text, so that one bad value hides no other."""
    problems: list[Problem] = []
    if given.get("TWILIO_MESSAGING_SERVICE_SID") and given.get("TWILIO_FROM"):
        problems.append(
            Problem("TWILIO_FROM", "is set beside TWILIO_MESSAGING_SERVICE_SID", "Keep one of the two")
        )
    for one, other in (("TWILIO_API_KEY", "TWILIO_API_SECRET"), ("TWILIO_API_SECRET", "TWILIO_API_KEY")):
        if given.get(one) and not given.get(other):
            problems.append(
                Problem(other, f"is unset, but {one} is set", "Twilio shows both when a key is made")
            )
    return problems


def missing(given: Mapping[str, str], uses: Iterable[Use]) -> list[Problem]:
    """The variables that these uses need and that hold nothing, each named once."""
    found: dict[str, Problem] = {}
    by_sendgrid = given.get("EMAIL_PROVIDER") == "sendgrid"
    for use in uses:
        needs = EMAIL_BY_SENDGRID if use is Use.EMAIL and by_sendgrid else NEEDS[use]
        for first, *others in needs:
            if not any(given.get(name) for name in (first, *others)):
                wrong = " ".join([*(f"(or {other})" for other in others), f"is unset and needed for {use}"])
                found.setdefault(first, Problem(first, wrong, f"Where to find it: {WHERE_TO_FIND[first]}"))
    return list(found.values())
