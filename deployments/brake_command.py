"""``duebell stop`` and ``duebell resume``: the brake, of all organisations or of one."""

from typing import Annotated

import typer

from deployments.naming import the_one_meant
from deployments.opening import by_whom, opened, opened_ledger
from deployments.terminal import make_console
from duebell.database_url import without_secrets
from duebell.errors import ConfigurationError
from duebell.ledger import consents, tenants
from duebell.ledger.braking import EVERYTHING
from duebell.ledger.tables import Tenant
from duebell.resources import Resources
from duebell.sending import stopping
from duebell.sending.stopping import goes_on_by

Whose = Annotated[
    str | None, typer.Option("--tenant", metavar="NAME", help="only this organisation, by its name or id")
]
Why = Annotated[str, typer.Option("--why", help="for the audit trail")]


def stop(tenant: Whose = None, why: Why = "") -> None:
    """Stop sending at once, of all or of one organisation. Events are still kept and messages planned."""
    with opened_ledger() as resources:
        one = None if tenant is None else _meant(resources, tenant)
        tenants.set_brake(
            resources.engine,
            stopped=True,
            by=by_whom(),
            why=why,
            scope=one.tenant_id if one else EVERYTHING,
            now=resources.clock(),
        )
        _say(_is_stopped(resources, one))


def resume(tenant: Whose = None, why: Why = "") -> None:
    """Let sending go on, and have Twilio hold messages again where the policy says so.

    An organisation that was stopped by itself goes on with --tenant alone.
    """
    with opened() as resources:
        if tenant is None:
            channels = stopping.resume_all(resources.engine, by_whom(), why, now=resources.clock())
            _say("Sending goes on.", *(f"{one} is tried again." for one in channels), *_still(resources))
        else:
            _say(*_let_go_on(resources, _meant(resources, tenant), why))


def _let_go_on(resources: Resources, one: Tenant, why: str) -> list[str]:
    did = stopping.resume_one(resources.engine, one.tenant_id, by_whom(), why, now=resources.clock())
    of_all = [on for on in stopping.stopped(resources.engine) if not on.tenant_id]
    if of_all:
        done = "is no longer stopped by itself, but" if did else "was not stopped by itself:"
        return [f"{one.name} {done} {of_all[0].in_full()}. {of_all[0].mend} lets it go on."]
    return [f"Sending of {one.name} goes on." if did else f"Sending of {one.name} was not stopped."]


def _still(resources: Resources) -> list[str]:
    """What is stopped after that of all is not."""
    left = stopping.stopped(resources.engine)
    return [f"But {one.in_full()}: {one.mend} lets it go on." for one in left]


def _meant(resources: Resources, named: str) -> Tenant:
    """The organisation, connected now or not: one that is connected anew is as stopped as it was before."""
    return the_one_meant(named, [tenant for _, tenant in consents.standing(resources.engine)])


def _is_stopped(resources: Resources, one: Tenant | None) -> str:
    """What a person reads once sending is stopped.

    Raises ``ConfigurationError`` where the ledger knows no organisation: another one goes on sending then.
    """
    if not consents.standing(resources.engine):
        raise ConfigurationError(
            f"sending is stopped in the ledger at {without_secrets(resources.engine.url)}, which knows no "
            "organisation. If another was meant, it goes on sending: give the command in the folder of its "
            ".env, or with its DUEBELL_ENV_FILE"
        )
    where = f" in the ledger at {without_secrets(resources.engine.url)}" if resources.is_faulty else ""
    whose = f" of {one.name}" if one else ""
    mend = goes_on_by(one.tenant_id if one else EVERYTHING)
    return f"Sending{whose} is stopped{where}. {mend} lets it go on; messages are then decided anew."


def _say(*sentences: str) -> None:
    make_console().print(" ".join(sentences), markup=False)
