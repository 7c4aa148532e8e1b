"""Several organisations on one road: real books, a silent first sync, and nothing that crosses over."""

import threading
import uuid
from pathlib import Path

from sqlmodel import col, func, select

from deployments.sandbox.control_types import InvoiceSummary
from duebell.ledger.engine import reading
from duebell.ledger.tables import Attempt, InvoiceSnapshot, Leg, Notification
from tests.support_prefect import wait_until
from tests.support_provisioned import run_once
from tests.support_road import Road, go_live

MOBILES = ("+61491570159", "+61491570737", "+61491570157", "+61491570158")


def _new_tenant(road: Road, name: str) -> str:
    tenant_id = str(uuid.uuid4())
    road.sandbox.add_tenant(tenant_id, name)
    return tenant_id


def _new_contact(road: Road, tenant_id: str, name: str, mobile: str) -> str:
    contact = road.sandbox.add_contact(name, tenant_id=tenant_id)
    road.sandbox.set_phone(contact.contact_id, mobile, tenant_id=tenant_id)
    return contact.contact_id


def _connect(road: Road, tenant_id: str) -> None:
    run_once(road.environment, "deployments.connect")
    go_live(road.engine, tenant_id)


def _count(road: Road, table: type[InvoiceSnapshot] | type[Notification], **equal: str) -> int:
    conditions = [getattr(table, name) == value for name, value in equal.items()]
    with road.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()


def test_real_books_are_read_in_silence_and_run_by_hand_announce_nothing_old(
    calm: Road, samples: Path
) -> None:
    tenant_id = _new_tenant(calm, "Recorded Books")
    recorded = (samples / "xero-samples" / "invoices-page-1.recorded.json").read_text()
    assert calm.sandbox.load_books(recorded, tenant_id=tenant_id) == 79

    _connect(calm, tenant_id)

    assert _count(calm, InvoiceSnapshot, tenant_id=tenant_id) == 79
    assert _count(calm, InvoiceSnapshot, tenant_id=tenant_id, type="sale") == 38
    assert _count(calm, InvoiceSnapshot, tenant_id=tenant_id, type="bill") == 41
    assert _count(calm, Notification, tenant_id=tenant_id) == 0
    with reading(calm.engine) as session:
        ids = session.exec(
            select(InvoiceSnapshot.invoice_id).where(InvoiceSnapshot.tenant_id == tenant_id)
        ).all()
    calm.prefect.wait_for(calm.by_hand("invoice-issued", tenant_id=tenant_id, invoice_ids=list(ids)))
    with reading(calm.engine) as session:
        rows = session.exec(select(Notification).where(Notification.tenant_id == tenant_id)).all()
    reasons = sorted({row.reason.split(":")[0] for row in rows})
    assert {row.state for row in rows} == {"skipped"}
    assert reasons == ["already_paid", "known_before_connecting", "not_a_sale", "not_approved"]
    assert calm.told_by("Recorded Books") == []
    assert [one for invoice_id in ids for one in calm.attempts(invoice_id)] == []


def test_an_invoice_approved_during_the_first_sync_is_told_and_the_old_one_is_not(calm: Road) -> None:
    tenant_id = _new_tenant(calm, "Synced While Working")
    contact = _new_contact(calm, tenant_id, "Busy Customer", MOBILES[0])
    old = calm.sandbox.add_invoice(contact, "10.00", tenant_id=tenant_id)
    draft = calm.sandbox.add_invoice(contact, "20.00", approved=False, tenant_id=tenant_id)
    assert calm.sandbox.settle()
    calm.sandbox.fail_next("delay", method="GET", path="/api.xro/2.0/Invoices", seconds=4.0)
    connecting = threading.Thread(target=run_once, args=(calm.environment, "deployments.connect"))
    connecting.start()
    asked = len(calm.sandbox.requests())
    wait_until(lambda: _is_reading(calm, tenant_id, asked), "the first sync reads invoices")
    calm.sandbox.approve(draft.invoice_id, tenant_id=tenant_id)
    connecting.join(60)
    wait_until(lambda: calm.state(draft.invoice_id) != "", "the approved draft is planned")
    go_live(calm.engine, tenant_id)

    # It is told, or dropped with the review: either way it was seen as news, and the old one was not.
    wait_until(lambda: calm.state(draft.invoice_id) not in {"", "held"}, "the approved draft is decided")
    assert calm.state(draft.invoice_id) == "delivered" or (
        calm.notifications(draft.invoice_id)[0].reason == "planned_before_going_live"
    )
    assert calm.notifications(old.invoice_id) == []


def _is_reading(road: Road, tenant_id: str, since: int) -> bool:
    new = road.sandbox.requests()[since:]
    return any(one.path == "/api.xro/2.0/Invoices" and one.tenant_id == tenant_id for one in new)


def test_eight_flows_at_once_over_two_tenants_cross_nothing(calm: Road) -> None:
    tenants = [_new_tenant(calm, name) for name in ("Left Hand Ltd", "Right Hand Ltd")]
    contacts = {
        tenant_id: _new_contact(calm, tenant_id, f"Customer {place}", MOBILES[2 + place])
        for place, tenant_id in enumerate(tenants)
    }
    for tenant_id in tenants:
        _connect(calm, tenant_id)
    invoices: dict[str, list[InvoiceSummary]] = {
        tenant_id: [
            calm.sandbox.add_invoice(
                contacts[tenant_id], f"{10 + n}.00", number=f"{place}{n}X", tenant_id=tenant_id
            )
            for n in range(4)
        ]
        for place, tenant_id in zip("LR", tenants, strict=True)
    }
    for tenant_id, issued in invoices.items():
        for one in issued:
            calm.by_hand("invoice-issued", tenant_id=tenant_id, invoice_ids=[one.invoice_id])

    for place, (tenant_id, issued) in enumerate(invoices.items()):
        for one in issued:
            calm.wait_for(one.invoice_id, "delivered")
            (message,) = calm.messages(one)
            assert message.to == MOBILES[2 + place]
            assert message.body.startswith(("Left Hand Ltd", "Right Hand Ltd")[place])
            assert calm.notifications(one.invoice_id)[0].tenant_id == tenant_id


def test_every_message_so_far_stands_in_the_ledger_and_was_read_less_than_a_minute_before(calm: Road) -> None:
    assert _known(calm) <= _accepted(calm)
    accepted = _accepted(calm)
    wait_until(lambda: accepted <= _known(calm), "what Twilio accepted last is written down too")
    with reading(calm.engine) as session:
        oldest = session.exec(select(func.max(Attempt.read_age_seconds))).one()
        addresses = session.exec(select(Leg.address)).all()
    assert oldest is None or oldest <= 60
    assert all(address.startswith("+") for address in addresses)


def _accepted(road: Road) -> set[str | None]:
    return {one.sid for one in road.sandbox.accepted_messages()}


def _known(road: Road) -> set[str | None]:
    with reading(road.engine) as session:
        return set(session.exec(select(Attempt.sid).where(col(Attempt.sid).is_not(None))).all())
