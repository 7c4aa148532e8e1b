"""The policy's rules: under which conditions a message gets other words, another way, or none."""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from duebell.policy_file.shapes import (
    Amount,
    Channels,
    Countries,
    Currencies,
    EmailSender,
    Kinds,
    Language,
    Name,
    Names,
    Section,
    SmsSender,
    Text,
    Texts,
    Variant,
    said,
    several,
)


class InvoiceSort(StrEnum):
    """How an invoice came about, and whether credit was set off against it."""

    ONE_OFF = "one_off"
    REPEATING = "repeating"
    CREDIT_APPLIED = "credit_applied"


Sorts = Annotated[tuple[InvoiceSort, ...], BeforeValidator(several), Field(min_length=1)]


class TrackingWhen(Section):
    """A tracking category of Xero and the option chosen on a line of the invoice."""

    category: Text
    option: Text


class ContactWhen(Section):
    """Fields of the contact; ``*`` stands for any text and ``?`` for one character."""

    name: Text | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    email: Text | None = None


class RuleWhen(Section):
    """What must all be true of a message. A condition that is left out is true of every message."""

    kind: Kinds | None = None
    stage: Names | None = None
    invoice_type: Sorts | None = None
    currency: Currencies | None = None
    amount_from: Amount | None = None
    amount_below: Amount | None = None
    branding_theme: Texts | None = None
    reference: Text | None = None
    contact_group: Texts | None = None
    contact: ContactWhen | None = None
    country: Countries | None = None
    region: Texts | None = None
    tracking: TrackingWhen | None = None

    @model_validator(mode="after")
    def _amounts_have_a_currency(self) -> "RuleWhen":
        has_amount = self.amount_from is not None or self.amount_below is not None
        if has_amount and self.currency is None:
            raise said("names an amount and no currency: write the currency beside it")
        return self


class RuleThen(Section):
    """What the message gets; what is left out is as the kind of message says. ``silence``: it is not sent."""

    template: Variant | None = None
    language: Language | None = None
    channels: Channels | None = None
    sender: SmsSender | None = None
    email_sender: EmailSender | None = None
    tone: Name | None = None
    silence: StrictBool = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> "RuleThen":
        if self.silence is bool(self.model_fields_set - {"silence"}):
            raise said(
                "must say template, language, channels, sender, email_sender or tone, or else silence = true "
                "alone"
            )
        return self


class Rule(Section):
    """One rule. ``name`` is for people; without one, the rule is known by its place."""

    name: Name | None = None
    when: RuleWhen = RuleWhen()
    then: RuleThen
