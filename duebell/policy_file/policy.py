"""The policy: what is told, when and by what way. A bookkeeper edits it, so every slip has its line."""

import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from pydantic import Field, ValidationError, model_validator

from duebell.errors import ConfigurationError
from duebell.policy_file.checks import contradictions
from duebell.policy_file.overdue import InvoiceOverduePolicy
from duebell.policy_file.preferences import PreferencesPolicy
from duebell.policy_file.rules import Rule
from duebell.policy_file.sections import (
    HoldPolicy,
    InvoiceIssuedPolicy,
    KindPolicy,
    LanguagePolicy,
    LimitsPolicy,
    MessagePolicy,
    PaymentReceivedPolicy,
    PollingPolicy,
    SendingPolicy,
    SettlePolicy,
    TeamPolicy,
)
from duebell.policy_file.shapes import Kind, Name, Section, TenantId
from duebell.policy_file.slips import Slip, report, slip_of

ACCOUNTS = "accounts"
"""The team that is always there, so that the ladder that is shipped has somebody to name."""

FOR_ALL = frozenset({"hold", "polling", "settle", "tenant"})
"""Sections that are done for all organisations at once, and cannot differ for one."""

TWILIO, XERO = "twilio", "xero"
"""Who can be told what people want."""

KEYS_FOR_ALL = (("preferences", "mirror_to_twilio"),)
"""Single keys of which the same is true."""


class Policy(Section):
    """The whole policy. A section or line that is left out has the value that it is shipped with."""

    sending: SendingPolicy = SendingPolicy()
    language: LanguagePolicy = LanguagePolicy()
    invoice_issued: InvoiceIssuedPolicy = InvoiceIssuedPolicy()
    payment_received: PaymentReceivedPolicy = PaymentReceivedPolicy()
    invoice_overdue: InvoiceOverduePolicy = InvoiceOverduePolicy()
    team: Mapping[Name, TeamPolicy] = Field(default_factory=lambda: {ACCOUNTS: TeamPolicy()})
    preferences: PreferencesPolicy = PreferencesPolicy()
    limits: LimitsPolicy = LimitsPolicy()
    polling: PollingPolicy = PollingPolicy()
    settle: SettlePolicy = SettlePolicy()
    hold: HoldPolicy = HoldPolicy()
    rules: tuple[Rule, ...] = Field(default=(), alias="rule")
    tenants: "Mapping[TenantId, Policy]" = Field(default_factory=dict, alias="tenant")

    @property
    def news(self) -> dict[str, KindPolicy]:
        """The sections of what is told once, as it happens, by their names."""
        return {"invoice_issued": self.invoice_issued, "payment_received": self.payment_received}

    @property
    def hears_of_news(self) -> bool:
        """Whether a team hears of anything that is told as it happens."""
        return any(kind.teams for kind in self.news.values())

    @property
    def tells(self) -> frozenset[str]:
        """Whom it lets hear what people want."""
        told = {TWILIO: self.preferences.mirror_to_twilio, XERO: self.writes_back}
        return frozenset(one for one, is_told in told.items() if is_told)

    @property
    def writes_back(self) -> bool:
        """Whether any organisation's contact group shows who stopped."""
        return any(one.preferences.write_back_group for one in (self, *self.tenants.values()))

    def for_tenant(self, tenant_id: str) -> "Policy":
        """The policy as it is for one organisation, with what the file says of it alone."""
        return self.tenants.get(tenant_id, self)

    def of_kind(self, kind: str) -> MessagePolicy:
        """What holds for one kind of message; what teams alone are told is as any message is."""
        sections: dict[str, MessagePolicy] = {
            Kind.INVOICE_ISSUED: self.invoice_issued,
            Kind.PAYMENT_RECEIVED: self.payment_received,
            Kind.INVOICE_OVERDUE: self.invoice_overdue,
        }
        return sections.get(kind, MessagePolicy())

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, written: object) -> object:
        """With the team that is always there, and each organisation's lines laid over the common ones."""
        if not isinstance(written, dict):
            return written
        whole = cast("dict[str, Any]", written)
        if "team" in whole:
            whole = whole | {"team": _laid_over({ACCOUNTS: {}}, whole["team"])}
        common = {key: value for key, value in whole.items() if key != "tenant"}
        own = {one: _laid_over(common, lines) for one, lines in _table(whole.get("tenant")).items()}
        return whole | ({"tenant": own} if own else {})


def _laid_over(common: object, own: object) -> object:
    """Single keys replace single keys; a list, and so the ladder and the rules, is replaced whole."""
    if not isinstance(common, dict) or not isinstance(own, dict):
        return own
    merged: dict[str, Any] = dict(cast("dict[str, Any]", common))
    for key, value in cast("dict[str, Any]", own).items():
        merged[key] = _laid_over(merged[key], value) if key in merged else value
    return merged


ONE_FOR_ALL = "cannot differ for one organisation. Remove it"


def load_policy(path: Path) -> Policy:
    """Read ``policy.toml``. Raises one ``ConfigurationError`` that names every slip with its line."""
    return read_policy(content_of(path), path)


def content_of(path: Path) -> bytes | None:
    """What the file holds now; nothing where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def read_policy(content: bytes | None, path: Path) -> Policy:
    """The policy that the file of this path says with this content. Raises as ``load_policy`` does."""
    try:
        text = None if content is None else content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise ConfigurationError(f"{path} cannot be read. Put a policy there, as UTF-8 text.")
    try:
        written = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as slip:
        raise ConfigurationError(f"{path.name} cannot be understood: {slip}") from None
    slips = list(_for_all_alone(written))
    try:
        policy = Policy.model_validate(written)
        slips += _contradictions(policy)
    except ValidationError as found:
        policy = Policy()
        slips += [slip_of(one, Policy) for one in found.errors(include_input=False, include_url=False)]
    if slips:
        raise ConfigurationError(report(slips, text, path.name, Policy))
    return policy


def _contradictions(policy: Policy) -> Iterator[Slip]:
    """Those of the policy that all share, and those of each organisation's own.

    A rule that several share may name a stage of any of their ladders; in one without it, it meets nothing.
    """
    for place, own in [((), policy), *((("tenant", one), own) for one, own in policy.tenants.items())]:
        sharing = [own, *(one for one in (policy, *policy.tenants.values()) if one.rules == own.rules)]
        stages = sorted({stage.name for one in sharing for stage in one.invoice_overdue.stages})
        for slip in contradictions(own.news, own.invoice_overdue, own.team, own.rules, stages):
            yield Slip((*place, *slip.place), slip.words)


def _for_all_alone(written: Mapping[str, Any]) -> Iterator[Slip]:
    """What an organisation's lines cannot say, because it is done for all of them at once."""
    for tenant_id, own in _table(written.get("tenant")).items():
        for section in FOR_ALL & set(_table(own)):
            yield Slip(("tenant", tenant_id, section), ONE_FOR_ALL)
        for section, key in KEYS_FOR_ALL:
            if key in _table(_table(own).get(section)):
                yield Slip(("tenant", tenant_id, section, key), ONE_FOR_ALL)


def _table(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
