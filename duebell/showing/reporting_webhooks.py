"""What a person is told of a tenant's webhooks: how they stand, and the mend."""

import json
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.books.calls import utc
from duebell.books.webhook_health import MENDS, SAID, Why
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit, Tenant
from duebell.ledger.webhook_state import SUSPECTED

BROKEN_EVENT = "duebell.webhooks.broken"
"""The Prefect event that an episode begins with; its resource is ``xero.tenant.<id>``."""


@dataclass(frozen=True, slots=True)
class WebhooksTold:
    """For the state of a run, and ``page``, in Markdown, for its artifact."""

    name: str
    message: str
    page: str
    sound: bool


def told_of(engine: Engine, tenant: Tenant) -> WebhooksTold:
    """How a tenant's webhooks stand; its name is left out, as Prefect keeps this in clear."""
    came = f"The last webhook came {utc(tenant.webhook_at)}." if tenant.webhook_at else "No webhook has come."
    polled = f"Polling last asked {utc(tenant.polled_at)}." if tenant.polled_at else "Polling has not asked."
    if tenant.webhooks_suspect_at is None:
        message = f"{came} {polled}"
        return WebhooksTold("Webhooks are sound", message, f"# Webhooks are sound\n\n{message}\n", sound=True)
    why = _why(engine, tenant.tenant_id)
    since = f"Since {utc(tenant.webhooks_suspect_at)} they look broken."
    page = (
        f"# Xero's webhooks look broken\n\nOrganisation `{tenant.tenant_id}`. {since} {SAID[why]}\n\n"
        f"{came} {polled}\n\n## What to do\n\n{MENDS[why]}\n\nNothing is lost meanwhile: polling finds what "
        "webhooks do not tell, some minutes later. This ends by itself when webhooks come again.\n"
    )
    return WebhooksTold("Webhooks look broken", f"{SAID[why]} {MENDS[why]}", page, sound=False)


def _why(engine: Engine, tenant_id: str) -> Why:
    """Why the present episode began, as the trail has it."""
    with reading(engine) as session:
        details = session.exec(
            select(Audit.details)
            .where(Audit.tenant_id == tenant_id, Audit.action == SUSPECTED)
            .order_by(col(Audit.sequence).desc())
            .limit(1)
        ).one()
    return Why(json.loads(details)["why"])
