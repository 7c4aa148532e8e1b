"""``duebell doctor``: every setting, where it came from, what is wrong and the mend; one call a provider."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import httpx
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlmodel import func, select

from deployments import (
    doctor_answers,
    doctor_calls,
    doctor_consent,
    doctor_copies,
    doctor_groups,
    doctor_holding,
    doctor_ledger,
    doctor_mirror,
    doctor_prefect,
    doctor_replies,
    doctor_sending,
    doctor_words,
    doctor_xero_feed,
    reminders_held,
)
from deployments.findings import Finding
from deployments.opening import ledger_in_words
from duebell.errors import ConfigurationError, DuebellError
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, PAYMENT_RECEIVED
from duebell.ledger import tenants
from duebell.ledger.engine import reading
from duebell.ledger.tables import XeroEvent
from duebell.policy_file.policy import Policy
from duebell.resources import Resources, open_resources
from duebell.setting_needs import Use
from duebell.setting_shapes import is_loopback
from duebell.settings import SettingLine, describe, load

USES = (
    Use.XERO,
    Use.XERO_CONSENT,
    Use.XERO_WEBHOOKS,
    Use.TWILIO_WEBHOOKS,
    Use.SMS,
    Use.EMAIL_WHERE_ON,
)


def main(console: Console) -> int:
    """Look at everything and print it; 1 where something has to be mended."""
    lines = describe(uses=USES)
    _print_settings(console, lines)
    findings = [
        Finding(line.name, f"{line.problem}. {line.mend}", sound=False) for line in lines if line.problem
    ]
    _print_findings(console, findings)
    looked_at = examine(malformed=bool(findings))
    _print_findings(console, looked_at)
    wrong = [finding for finding in [*findings, *looked_at] if not finding.sound]
    end = f"{len(wrong)} to mend" if wrong else "Nothing to mend"
    console.print(Text(f"\n{end}.", "bold red" if wrong else "bold green"))
    return 1 if wrong else 0


def examine(*, malformed: bool = False) -> list[Finding]:
    """Look at the ledger and the providers, as far as the settings let them be reached.

    ``malformed``: the settings at fault were named already, so that they need not be named again.
    """
    try:
        resources = open_resources(load())
    except ConfigurationError as error:
        if malformed:
            return [Finding("the rest", "is looked at once the settings are mended", sound=False)]
        return [Finding("settings", str(error), sound=False)]
    try:
        return look(resources)
    finally:
        resources.close()


def _print_settings(console: Console, lines: Sequence[SettingLine]) -> None:
    """A line breaks within its column, so that no value is cut off on a narrow terminal."""
    table = Table("setting", "value", "from", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column, at_least in zip(table.columns, (29, 24, 11), strict=True):
        column.overflow, column.min_width = "fold", at_least
    for line in lines:
        table.add_row(
            Text(line.name, "red" if line.problem else ""),
            Text(line.shown, "dim" if line.source == "default" else ""),
            Text(line.source, "dim"),
        )
    console.print(table, "")


def _print_findings(console: Console, findings: Sequence[Finding]) -> None:
    for finding in findings:
        row = Table.grid(padding=(0, 2, 0, 0))
        row.add_column(width=4, no_wrap=True)
        row.add_column(overflow="fold")
        row.add_row(_mark(finding), Text.assemble((finding.what, "bold"), f": {finding.said}"))
        console.print(row)


def _mark(finding: Finding) -> Text:
    if not finding.is_seen:
        return Text("-", "dim")
    return Text("ok", "green") if finding.sound else Text("mend", "red")


def look(resources: Resources) -> list[Finding]:
    """Look at the ledger, the policy, Prefect, Twilio and each connected organisation, once each."""
    looks: list[tuple[str, Callable[[Resources], list[Finding]]]] = [
        ("ledger", doctor_ledger.look),
        ("sending", doctor_sending.look),
        ("policy", _policy),
        ("words", doctor_words.look),
        ("reminders", reminders_held.look),
        ("Prefect", doctor_prefect.look),
        ("Twilio", _twilio),
        ("answers", doctor_answers.look),
        ("Xero", _xero),
        ("held messages", doctor_holding.look),
        ("copies", doctor_copies.look),
        ("calls to Xero", doctor_calls.look),
        ("consents", doctor_consent.look),
        ("webhooks", _webhooks),
        ("changes", doctor_xero_feed.look),
        ("replies", doctor_replies.look),
        ("preferences", doctor_mirror.look),
        ("contact groups", doctor_groups.look),
    ]
    found = [finding for what, look_at in looks for finding in _looked(resources, what, look_at)]
    fault = _fault_of_policy(resources)
    return [_unseen(one) if one.said == fault and one.what != "policy" else one for one in found]


def _fault_of_policy(resources: Resources) -> str | None:
    try:
        resources.look_at_policy()
    except ConfigurationError as fault:
        return str(fault)
    return None


def _unseen(finding: Finding) -> Finding:
    """In place of the policy's mistake, told once more by a look that needs the policy."""
    return Finding(finding.what, "is looked at once the policy is mended", is_seen=False)


def _looked(resources: Resources, what: str, look_at: Callable[[Resources], list[Finding]]) -> list[Finding]:
    """One look; what keeps it from being taken hides nothing else."""
    try:
        with ledger_in_words():
            return look_at(resources)
    except (ConfigurationError, DuebellError) as error:
        return [Finding(what, str(error), sound=False)]


def _policy(resources: Resources) -> list[Finding]:
    """Which kinds are on, and for which organisations the policy has it otherwise."""
    policy = resources.policy
    findings = [Finding("policy", _kinds(policy))]
    for tenant in tenants.connected(resources.engine):
        own = _kinds(policy.for_tenant(tenant.tenant_id))
        if own != _kinds(policy):
            findings.append(Finding(f"policy of {tenant.name}", own))
    return findings


def _kinds(policy: Policy) -> str:
    return ", ".join(
        f"{kind.replace('_', ' ')} is {'on' if policy.of_kind(kind).enabled else 'off'}"
        for kind in (INVOICE_ISSUED, PAYMENT_RECEIVED, INVOICE_OVERDUE)
    )


def _twilio(resources: Resources) -> list[Finding]:
    settings = resources.settings
    if settings.missing_for(Use.SMS):
        return [Finding("Twilio", "was not asked, because its settings are missing", sound=False)]
    account = resources.twilio(with_token=bool(settings.twilio_auth_token)).account()
    trial = ", a trial account: it texts verified numbers only" if account.trial else ""
    return [Finding("Twilio", f"account {account.sid} is {account.raw_status}{trial}", sound=account.active)]


def _xero(resources: Resources) -> list[Finding]:
    if resources.settings.missing_for(Use.XERO):
        return [Finding("Xero", "was not asked, because its settings are missing", sound=False)]
    connected = tenants.connected(resources.engine)
    if not connected:
        return [Finding("Xero", "no organisation is connected: run `duebell connect`", sound=False)]
    return [doctor_calls.asked(resources, tenant) for tenant in connected]


def _webhooks(resources: Resources) -> list[Finding]:
    """Whether webhooks come at all: that they do is the one thing that cannot be seen from here."""
    with reading(resources.engine) as session:
        last = session.exec(
            select(func.max(XeroEvent.received_at)).where(XeroEvent.found_by == "webhook")
        ).one()
    came = f"the last one came at {_utc(last)}" if last else "none has come yet"
    url = resources.settings.public_url
    if is_loopback(httpx.URL(url).host) and not is_loopback(httpx.URL(resources.settings.xero_api_url).host):
        said = f"{came}: nobody outside reaches {url}. Set DUEBELL_PUBLIC_URL to the address of your proxy"
        return [Finding("Xero's webhooks", said, sound=False)]
    return [Finding("Xero's webhooks", f"{came} (to {url}/webhooks/xero)")]


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
