"""The brake as people work and read it: sending is stopped, of all organisations or of one, and goes on."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from duebell.books.calls import utc
from duebell.ledger import channel_stops, hold_switch, present, tenants
from duebell.ledger.braking import EVERYTHING
from duebell.ledger.engine import reading
from duebell.ledger.tables import Brake, Tenant
from duebell.ledger.writing import writing
from duebell.showing.reporting_channels import typed

PERSON = "person:"
"""How the actor of what a person did begins: the rest names them."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A brake that is on. ``tenant_id`` and ``name`` are empty where it is the one of all organisations."""

    tenant_id: str
    name: str
    since: datetime
    by: str
    why: str

    @property
    def mend(self) -> str:
        """The command that lets it go on."""
        return goes_on_by(self.tenant_id or EVERYTHING)

    def in_full(self) -> str:
        """Whose sending, since when, by whom and why, for the people of the installation."""
        whose = f"{self.name} ({self.tenant_id})" if self.tenant_id else "all organisations"
        return f"sending of {whose} is stopped since {utc(self.since)} by {self.by}{_because(self.why)}"

    def naming_nobody(self) -> str:
        """The same for Prefect, which keeps it in clear: no name, and no words that a person wrote."""
        whose = f"organisation {self.tenant_id}" if self.tenant_id else "all organisations"
        by_person = self.by.startswith(PERSON)
        by = "a person: `duebell doctor` says why" if by_person else f"{self.by}{_because(self.why)}"
        return f"sending of {whose} is stopped since {utc(self.since)} by {by}"


def stopped(engine: Engine) -> list[Stopped]:
    """Every brake that is on and that a person takes off, the one of all organisations first."""
    brakes = sorted(tenants.brakes(engine), key=lambda one: (one.scope != EVERYTHING, one.scope))
    with reading(engine) as session:
        names = dict(session.exec(select(Tenant.tenant_id, col(Tenant.name))).all())
    return [_stopped(one, names) for one in brakes]


def _stopped(brake: Brake, names: dict[str, str]) -> Stopped:
    tenant_id = "" if brake.scope == EVERYTHING else brake.scope
    return Stopped(tenant_id, names.get(tenant_id, ""), brake.changed_at, brake.by, brake.why)


def in_the_way_of(session: Session, tenant_id: str) -> list[Brake]:
    """The brakes that keep an organisation from sending, the one of all organisations first."""
    found = (present.brake(session, scope) for scope in (EVERYTHING, tenant_id))
    return [one for one in found if one is not None and one.stopped]


def goes_on_by(scope: str) -> str:
    """The command that takes the brake of this scope off."""
    return "`duebell resume`" if scope == EVERYTHING else f"`duebell resume --tenant {scope}`"


def resume_all(engine: Engine, by: str, why: str, *, now: datetime) -> list[str]:
    """Let sending go on, and have Twilio hold messages again where the policy says so.

    Organisations that were stopped by themselves stay so. Returns which channels are tried again, in words.
    """
    with writing(engine, now) as book:
        tenants.brake(book, stopped=False, by=by, why=why, scope=EVERYTHING)
        opened = channel_stops.lift_all(book, by, why)
        hold_switch.put_on(book, by, why)
    return [typed(one) for one in opened]


def resume_one(engine: Engine, tenant_id: str, by: str, why: str, *, now: datetime) -> bool:
    """Let one organisation send again, as far as all may; false where it was not stopped by itself."""
    with writing(engine, now) as book:
        row = present.brake(book.session, tenant_id)
        if row is None or not row.stopped:
            return False
        tenants.brake(book, stopped=False, by=by, why=why, scope=tenant_id)
    return True


def _because(why: str) -> str:
    return f", because {why}" if why else ""
