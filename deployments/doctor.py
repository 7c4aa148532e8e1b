"""``duebell doctor``: every setting, where it came from, what is wrong and the mend; one call a provider."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
from rich.console import Console
from rich.table import Table

from duebell.access import XeroAccess, unpaced
from duebell.errors import ConfigurationError, DuebellError
from duebell.ledger import tenants, trail
from duebell.ledger.engine import reading
from duebell.ledger.unsettled import unsettled
from duebell.resources import Resources, open_resources
from duebell.setting_needs import Use
from duebell.settings import SettingLine, describe, load

USES = (Use.XERO, Use.XERO_WEBHOOKS, Use.TWILIO_WEBHOOKS, Use.SMS)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``sound`` is false where a person has something to mend."""

    what: str
    said: str
    sound: bool = True


def main(console: Console) -> int:
    """Look at everything and print it; 1 where something has to be mended."""
    lines = describe(uses=USES)
    _print_settings(console, lines)
    findings = [
        Finding(line.name, f"{line.problem}. {line.mend}", sound=False) for line in lines if line.problem
    ]
    try:
        resources = open_resources(load())
    except ConfigurationError as error:
        findings.append(Finding("settings", str(error), sound=False))
    else:
        findings += look(resources)
        resources.close()
    for finding in findings:
        mark = "[green]ok[/]" if finding.sound else "[red]mend[/]"
        console.print(f"{mark}  [bold]{finding.what}[/]: {finding.said}")
    return 0 if all(finding.sound for finding in findings) else 1


def _print_settings(console: Console, lines: Sequence[SettingLine]) -> None:
    table = Table("setting", "value", "from", "wrong", "mend", box=None)
    for line in lines:
        table.add_row(line.name, line.shown, line.source, line.problem, line.mend)
    console.print(table)


def look(resources: Resources) -> list[Finding]:
    """Look at the ledger, Prefect, Twilio and each connected organisation, once each."""
    looks: list[tuple[str, Callable[[Resources], list[Finding]]]] = [
        ("ledger", _ledger),
        ("policy", _policy),
        ("Prefect", _prefect),
        ("Twilio", _twilio),
        ("Xero", _xero),
    ]
    findings: list[Finding] = []
    for what, look_at in looks:
        try:
            findings += look_at(resources)
        except (ConfigurationError, DuebellError) as error:
            findings.append(Finding(what, str(error), sound=False))
    return findings


def _ledger(resources: Resources) -> list[Finding]:
    broken = trail.first_break_in(resources.engine)
    with reading(resources.engine) as session:
        unknown = len(unsettled(session))
    stopped = [f"{brake.scope} by {brake.by}" for brake in tenants.brakes(resources.engine)]
    return [
        Finding("ledger", resources.engine.url.render_as_string(hide_password=True)),
        Finding(
            "audit trail", "whole" if broken is None else f"changed at entry {broken}", sound=broken is None
        ),
        Finding("messages of unknown outcome", str(unknown)),
        Finding(
            "brake", f"on: {', '.join(stopped)}: `duebell resume`" if stopped else "off", sound=not stopped
        ),
    ]


def _policy(resources: Resources) -> list[Finding]:
    policy = resources.policy
    resources.templates.check_sms("invoice_issued")
    return [Finding("policy", f"invoice issued is {'on' if policy.invoice_issued.enabled else 'off'}")]


def _prefect(resources: Resources) -> list[Finding]:
    settings = resources.settings
    url = settings.prefect_api_url or f"http://127.0.0.1:{settings.prefect_server_api_port}/api"
    try:
        answer = httpx.get(f"{url}/health", timeout=5.0, trust_env=False)
    except httpx.HTTPError as error:
        return [Finding("Prefect", f"{url} does not answer ({type(error).__name__}): `duebell up` starts it")]
    return [Finding("Prefect", f"{url} answers {answer.status_code}", sound=answer.status_code == 200)]


def _twilio(resources: Resources) -> list[Finding]:
    account = resources.twilio(with_token=True).account()
    trial = ", a trial account: it texts verified numbers only" if account.trial else ""
    return [Finding("Twilio", f"account {account.sid} is {account.raw_status}{trial}", sound=account.active)]


def _xero(resources: Resources) -> list[Finding]:
    connected = tenants.connected(resources.engine)
    if not connected:
        return [Finding("Xero", "no organisation is connected: `duebell up` connects", sound=False)]
    findings: list[Finding] = []
    for tenant in connected:
        access = XeroAccess(resources, tenant.tenant_id, unpaced, "doctor")
        organisation = access.ask(access.client.organisation)
        left = tenants.get(resources.engine, tenant.tenant_id).day_remaining
        findings.append(
            Finding(
                "Xero",
                f"{organisation.name}: connected, sending is {tenant.sending}, {left} calls left today",
            )
        )
    return findings
