"""The count of calls to Xero, and what Xero said is left of them."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Engine, case, func, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select

from duebell.books.calls import Park, Pause, Purpose, Standing, after_refusal, endpoint_of
from duebell.clock import Clock
from duebell.ledger import present
from duebell.ledger.engine import reading
from duebell.ledger.tables import Attempt, Tenant, XeroCall
from duebell.ledger.tenants import park_in
from duebell.ledger.writing import Writing, writing
from duebell.xero.answers import CallMade, Limits

DAY_BEGAN_ANEW = 10
"""So many more calls left than before mean a new day; answers of calls side by side differ by less."""


def standing(engine: Engine, tenant_id: str) -> Standing:
    """How a tenant stands with Xero's limits now; nobody was told anything of one that is not connected."""
    with reading(engine) as session:
        tenant = session.get(Tenant, tenant_id)
    return standing_of(tenant) if tenant else Standing()


def standing_of(tenant: Tenant) -> Standing:
    """The same, off a row that was read already."""
    return Standing(
        tenant.parked_until,
        tenant.paused_until,
        tenant.minute_remaining,
        tenant.day_remaining,
        tenant.day_began_with,
        tenant.limits_at,
    )


def note(
    engine: Engine,
    tenant_id: str,
    purpose: Purpose,
    call: CallMade,
    then: Park | Pause | None,
    *,
    now: datetime,
) -> None:
    """Count a call, keep what its answer told, and do what its refusal means: one transaction a call."""
    with writing(engine, now) as book:
        _count(book, tenant_id, purpose, call)
        values = _told(call.limits, now)
        if isinstance(then, Pause):
            values["paused_until"] = then.until
        if values:
            book.session.exec(update(Tenant).where(col(Tenant.tenant_id) == tenant_id).values(**values))
        if isinstance(then, Park):
            park_in(book, tenant_id, then.until, then.why)


def counter(engine: Engine, tenant_id: str, purpose: Purpose, clock: Clock) -> Callable[[CallMade], None]:
    """What a client tells its calls to, where no more than counting is wanted."""

    def count(call: CallMade) -> None:
        now = clock()
        then = after_refusal(call.refused, 1, now) if call.refused else None
        note(engine, tenant_id, purpose, call, then, now=now)

    return count


def _count(book: Writing, tenant_id: str, purpose: Purpose, call: CallMade) -> None:
    dialect = postgresql if book.session.get_bind().dialect.name == "postgresql" else sqlite
    refused = int(call.refused is not None)
    insert = dialect.insert(XeroCall).values(
        tenant_id=tenant_id,
        day=f"{book.now:%Y-%m-%d}",
        endpoint=endpoint_of(call.path),
        purpose=purpose.value,
        calls=1,
        refused=refused,
    )
    more = {"calls": col(XeroCall.calls) + 1, "refused": col(XeroCall.refused) + refused}
    key = ["tenant_id", "day", "endpoint", "purpose"]
    book.session.exec(insert.on_conflict_do_update(index_elements=key, set_=more))


def _told(limits: Limits, now: datetime) -> dict[str, object]:
    """The columns that an answer's headers change."""
    values: dict[str, object] = {}
    if limits.minute_remaining is not None:
        values["minute_remaining"] = limits.minute_remaining
    if limits.day_remaining is not None:
        values["day_remaining"] = limits.day_remaining
        values["day_began_with"] = _began_with(limits.day_remaining)
    return values | {"limits_at": now} if values else values


def _began_with(left: int) -> object:
    before, most = col(Tenant.day_remaining), col(Tenant.day_began_with)
    is_new = before.is_(None) | most.is_(None) | (before < left - DAY_BEGAN_ANEW) | (most < left)
    return case((is_new, left), else_=most)


def take_turn(engine: Engine, tenant_id: str, seen: Standing, *, now: datetime) -> bool:
    """Take one of a minute's last few calls, in one statement; false where another took it first."""
    with writing(engine, now) as book:
        taken = book.session.exec(
            update(Tenant)
            .where(
                col(Tenant.tenant_id) == tenant_id,
                col(Tenant.minute_remaining) == seen.minute_remaining,
                col(Tenant.limits_at) == seen.limits_at,
            )
            .values(minute_remaining=max((seen.minute_remaining or 0) - 1, 0), limits_at=now)
            .returning(col(Tenant.tenant_id))
        ).scalar_one_or_none()
    return taken is not None


def of_day(engine: Engine, tenant_id: str, day: str) -> Sequence[XeroCall]:
    """What a tenant's calls of a UTC day (``2026-11-22``) were for, the dearest first."""
    wanted = (
        select(XeroCall)
        .where(XeroCall.tenant_id == tenant_id, XeroCall.day == day)
        .order_by(col(XeroCall.calls).desc(), XeroCall.purpose, XeroCall.endpoint)
    )
    with reading(engine) as session:
        return session.exec(wanted).all()


def messages_since(engine: Engine, tenant_id: str, since: datetime) -> int:
    """How many messages of a tenant Twilio has taken since."""
    wanted = (
        select(func.count())
        .select_from(Attempt)
        .where(
            present.attempt_is_of_tenant(tenant_id),
            col(Attempt.started_at) >= since,
            col(Attempt.sid).is_not(None),
        )
    )
    with reading(engine) as session:
        return session.exec(wanted).one()
