"""Of several payments or reminders of an invoice, the one that a person names is said again, or none is."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from duebell.errors import Permanent
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, PAYMENT_RECEIVED
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Audit
from duebell.sending.resending import Resend, resend
from tests.support_facts import (
    CONTACT,
    INVOICE,
    NOW,
    TENANT,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    resources_over,
)
from tests.support_overdue import Office, at, due, office_over
from tests.test_payments_told import Watch, body, payment, rows, stands, tell_all

FIRST, SECOND, ANEW, THIRD, TYPO = (numbered(900 + number) for number in (1, 2, 3, 4, 99))
DUE = date(2026, 11, 2)
DAY = timedelta(days=1)


@pytest.fixture
def watch(ledger: Engine) -> Watch:
    """Two payments of an invoice that were told; the first was then removed and entered anew."""
    open_tenant(ledger)
    keep_contact(ledger)
    keep_invoice(ledger, body(), read_at=NOW, silent_until=NOW + timedelta(days=1))
    watch = Watch(ledger)
    for paid in ([payment(1)], [payment(1), payment(2, "30.00")]):
        watch.pays(*paid)
        tell_all(ledger, watch.minute)
    watch.pays(payment(2, "30.00"))
    watch.pays(payment(3), payment(2, "30.00"))
    assert [state for _, state, _ in stands(ledger)] == ["accepted", "accepted"]
    return watch


def again(watch: Watch, payment_id: str, kind: str = PAYMENT_RECEIVED) -> Resend:
    resources = resources_over(watch.engine)
    return resend(resources, INVOICE, by="person:test", why="they lost it", kind=kind, payment_id=payment_id)


def asked_for(engine: Engine) -> list[str]:
    """The subjects of what the trail says was asked for again."""
    with reading(engine) as session:
        wanted = select(Audit.subject_id).where(Audit.action == "re-send asked for")
        return [key.split(":")[2] for key in session.exec(wanted.order_by(col(Audit.sequence))).all()]


@pytest.mark.parametrize(
    ("named", "subject"),
    [
        (ANEW, FIRST),
        (FIRST, FIRST),
        (SECOND, SECOND),
        (SECOND.upper(), SECOND),
        (f" {ANEW.upper()} ", FIRST),
    ],
)
def test_a_payment_is_known_by_every_id_that_it_had_in_xero_however_it_is_typed(
    watch: Watch, named: str, subject: str
) -> None:
    said = again(watch, named)
    key = f"{TENANT}:payment_received:{subject}::contact:{CONTACT}#1"
    assert (said.key, said.state, said.reason) == (key, "planned", "")
    assert asked_for(watch.engine) == [subject]
    assert broken(watch.engine) == []


def test_another_payment_that_waits_is_not_taken_for_the_one_that_is_named(watch: Watch) -> None:
    watch.pays(payment(3), payment(2, "30.00"), payment(4, "5.00"))
    said = again(watch, ANEW)
    assert said.key.split(":")[2] == FIRST
    assert asked_for(watch.engine) == [FIRST]
    assert [(row.subject_id, row.state) for row in rows(watch.engine)] == [
        (FIRST, "accepted"),
        (SECOND, "accepted"),
        (THIRD, "planned"),
        (FIRST, "planned"),
    ]


def test_the_first_message_of_the_payment_that_is_named_goes_before_a_second(watch: Watch) -> None:
    watch.pays(payment(3), payment(2, "30.00"), payment(4, "5.00"))
    with pytest.raises(Permanent, match="is planned: a second one"):
        again(watch, THIRD)


@pytest.mark.parametrize("waits", [False, True])
def test_a_payment_that_is_unknown_is_refused_with_those_that_are_known(watch: Watch, *, waits: bool) -> None:
    known = [ANEW, SECOND]
    if waits:
        watch.pays(payment(3), payment(2, "30.00"), payment(4, "5.00"))
        known.append(THIRD)
    before = stands(watch.engine)
    for typed in (TYPO, "not an id"):
        with pytest.raises(Permanent) as refused:
            again(watch, typed)
        assert str(refused.value) == (
            f"there is no message about payment {typed} of this invoice: "
            f"say which with --payment ({', '.join(known)})"
        )
    assert (stands(watch.engine), asked_for(watch.engine)) == (before, [])


def test_a_payment_of_another_invoice_is_none_of_this_one(watch: Watch) -> None:
    watch.sees(body(payment(4), invoice_id=numbered(1)))
    with pytest.raises(Permanent, match="no message about payment"):
        again(watch, THIRD)


def test_without_a_payment_they_are_named_as_xero_shows_them_today(watch: Watch) -> None:
    with pytest.raises(Permanent, match=f"several .+: say which with --payment .{ANEW}, {SECOND}."):
        again(watch, "")


def test_a_payment_told_together_with_another_invoices_is_not_that_one(watch: Watch) -> None:
    watch.sees(*(body(payment(3 + n), invoice_id=numbered(n), minute=9) for n in (1, 2)))
    resources = resources_over(watch.engine)
    with pytest.raises(Permanent, match="INV-0001 is planned"):
        resend(resources, numbered(1), by="p", why="w", kind=PAYMENT_RECEIVED, payment_id=THIRD)


@pytest.mark.parametrize("kind", [INVOICE_ISSUED, INVOICE_OVERDUE])
def test_a_payment_goes_with_its_own_kind_alone(watch: Watch, kind: str) -> None:
    with pytest.raises(Permanent, match="give --kind payment_received"):
        again(watch, ANEW, kind)


@pytest.fixture
def office(sqlite_ledger: Engine, tmp_path: Path) -> Office:
    """An invoice of which the reminders of two stages were sent."""
    open_tenant(sqlite_ledger)
    keep_contact(sqlite_ledger)
    office = office_over(sqlite_ledger, tmp_path, at(DUE + DAY))
    office.keeps(1, **due(DUE))
    office.day()
    office.later(days=6)
    office.day()
    assert [row[1:3] for row in office.stands()] == [("overdue", "accepted"), ("second", "accepted")]
    return office


def remind(office: Office, stage: str, kind: str = INVOICE_OVERDUE) -> Resend:
    return resend(office.resources, numbered(1), by="person:test", why="they asked", kind=kind, stage=stage)


def test_a_stage_is_known_by_its_name_or_its_step_however_it_is_typed(office: Office) -> None:
    for stage in ("second", " Second ", f"second@{DUE}"):
        said = remind(office, stage)
        assert f"second@{DUE}:" in said.key
        office.tells([numbered(1)])
    assert broken(office.engine) == []


@pytest.mark.parametrize("waits", [False, True])
def test_a_stage_that_was_never_said_is_refused_with_those_that_were(office: Office, *, waits: bool) -> None:
    if waits:
        office.later(days=7)
        office.sweeps()  # the third stage waits
    before = office.stands()
    with pytest.raises(
        Permanent, match=f"stage secnd of this invoice: say which with --stage .overdue@{DUE}"
    ):
        remind(office, "secnd")
    assert office.stands() == before


def test_a_stage_that_was_never_said_is_refused_where_another_is_due_today(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    open_tenant(sqlite_ledger)
    keep_contact(sqlite_ledger)
    office = office_over(sqlite_ledger, tmp_path, at(DUE + DAY))
    office.keeps(1, **due(DUE))
    with pytest.raises(Permanent, match="no message about stage last"):
        remind(office, "last")
    assert office.stands() == []
    assert remind(office, "overdue").state == "planned"


def test_a_stage_that_the_policy_does_not_have_and_one_that_is_not_due_are_told_apart(
    sqlite_ledger: Engine, tmp_path: Path
) -> None:
    open_tenant(sqlite_ledger)
    keep_contact(sqlite_ledger)
    office = office_over(sqlite_ledger, tmp_path, at(DUE - 20 * DAY))
    office.keeps(1, **due(DUE))
    with pytest.raises(Permanent, match=r"no stage foo in the policy: there are .*overdue, second"):
        remind(office, "foo")
    with pytest.raises(Permanent, match="the stage Second of this invoice is not due, and was never said"):
        remind(office, "Second")
    assert office.stands() == []


def test_a_stage_goes_with_reminders_alone(office: Office) -> None:
    with pytest.raises(Permanent, match="give --kind invoice_overdue"):
        remind(office, "second", INVOICE_ISSUED)
