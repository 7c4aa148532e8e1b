"""Which settings a process needs for what it is about to do, and where a person finds them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from duebell.setting_shapes import takes_a_browser_back


class Use(StrEnum):
    """What a process is about to do. None of them is needed to look at the ledger or to run the demo."""

    XERO = "calls to Xero"
    XERO_CONSENT = "the consent on Xero's page"
    XERO_WEBHOOKS = "Xero's webhooks"
    TWILIO_WEBHOOKS = "Twilio's callbacks"
    SMS = "sending SMS"
    EMAIL = "sending email"
    EMAIL_AT_TWILIO = "asking Twilio for an email"
    EMAIL_EVENTS = "SendGrid's events"
    EMAIL_WHERE_ON = "email, where there is a sender for it"
    """All that email needs where it is on, and nothing where it is off."""


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
    Use.XERO_CONSENT: (),
    Use.XERO_WEBHOOKS: (("XERO_WEBHOOK_KEYS",),),
    # Twilio signs its callbacks with the auth token, whatever key made the call
    # (twilio.com/docs/usage/webhooks/webhooks-security).
    Use.TWILIO_WEBHOOKS: (("TWILIO_AUTH_TOKEN",),),
    Use.SMS: (*TWILIO_LOGIN, ("TWILIO_MESSAGING_SERVICE_SID", "TWILIO_FROM")),
    Use.EMAIL: (("EMAIL_FROM",), *TWILIO_LOGIN),
    Use.EMAIL_AT_TWILIO: TWILIO_LOGIN,
    Use.EMAIL_EVENTS: (),  # Twilio's Email API has none
}
NEEDS_OF_SENDGRID: dict[Use, tuple[Alternatives, ...]] = {
    Use.EMAIL: (("EMAIL_FROM",), ("SENDGRID_API_KEY",)),
    Use.EMAIL_EVENTS: (("SENDGRID_WEBHOOK_KEYS",),),
}

WHERE_TO_FIND: dict[str, str] = {
    "XERO_CLIENT_ID": "developer.xero.com, My Apps, Configuration",
    "XERO_CLIENT_SECRET": "developer.xero.com, My Apps, Configuration, Generate a secret",
    "XERO_WEBHOOK_KEYS": "developer.xero.com, My Apps, Webhooks, Webhooks key",
    "TWILIO_ACCOUNT_SID": "console.twilio.com, Account Info",
    "TWILIO_AUTH_TOKEN": "console.twilio.com, Account Info (it checks callbacks, whatever signs the calls)",
    "TWILIO_MESSAGING_SERVICE_SID": "console.twilio.com, Messaging, Services",
    "EMAIL_FROM": "an address of the domain that was verified with the email provider",
    "SENDGRID_API_KEY": "app.sendgrid.com, Settings, API Keys",
    "SENDGRID_WEBHOOK_KEYS": "app.sendgrid.com, Settings, Mail Settings, Event Webhooks, Signature",
}


def contradictions(given: Mapping[str, str]) -> list[Problem]:
    """What is wrong between two variables. ``given`` is raw text, so that one bad value hides no other."""
    problems: list[Problem] = []
    if given.get("TWILIO_MESSAGING_SERVICE_SID") and given.get("TWILIO_FROM"):
        problems.append(
            Problem("TWILIO_FROM", "is set beside TWILIO_MESSAGING_SERVICE_SID", "Keep one of the two")
        )
    if given.get("TWILIO_PREVIOUS_AUTH_TOKEN") and not given.get("TWILIO_AUTH_TOKEN"):
        problems.append(
            Problem(
                "TWILIO_AUTH_TOKEN",
                "is unset, but TWILIO_PREVIOUS_AUTH_TOKEN is set",
                "Write the token that replaces the previous one",
            )
        )
    for one, other in (("TWILIO_API_KEY", "TWILIO_API_SECRET"), ("TWILIO_API_SECRET", "TWILIO_API_KEY")):
        if given.get(one) and not given.get(other):
            problems.append(
                Problem(other, f"is unset, but {one} is set", "Twilio shows both when a key is made")
            )
    return problems


def unfit(given: Mapping[str, str], uses: Iterable[Use]) -> list[Problem]:
    """What is set, and sound in itself, but cannot serve these uses. ``given`` is raw text."""
    url = given.get("DUEBELL_PUBLIC_URL")
    by_consent = Use.XERO_CONSENT in set(uses) and given.get("XERO_GRANT") != "client_credentials"
    if not url or not by_consent or takes_a_browser_back(url):
        return []
    return [
        Problem(
            "DUEBELL_PUBLIC_URL",
            "is no address to which Xero sends a browser back after the consent",
            "Write an https address, or http://localhost:8787 by that name (Xero refuses http://127.0.0.1)",
        )
    ]


def missing(given: Mapping[str, str], uses: Iterable[Use]) -> list[Problem]:
    """The variables that these uses need and that hold nothing, each named once."""
    found: dict[str, Problem] = {}
    every_need = NEEDS | (NEEDS_OF_SENDGRID if given.get("EMAIL_PROVIDER") == "sendgrid" else {})
    for use in _spelt_out(given, uses):
        for first, *others in every_need[use]:
            if not any(given.get(name) for name in (first, *others)):
                wrong = " ".join([*(f"(or {other})" for other in others), f"is unset and needed for {use}"])
                found.setdefault(first, Problem(first, wrong, f"Where to find it: {WHERE_TO_FIND[first]}"))
    return list(found.values())


def _spelt_out(given: Mapping[str, str], uses: Iterable[Use]) -> Iterator[Use]:
    for use in uses:
        if use is not Use.EMAIL_WHERE_ON:
            yield use
        elif given.get("EMAIL_FROM"):
            yield from (Use.EMAIL, Use.EMAIL_EVENTS)
