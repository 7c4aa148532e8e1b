"""Online links: asked for once an invoice, for messages that say them, and never in the way of a message."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, update
from sqlmodel import select

from duebell.books import online_links
from duebell.books.calls import Purpose
from duebell.books.reading import Reading
from duebell.deciding.known import known_of
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, PAYMENT_RECEIVED
from duebell.ledger import inbox, legs, present
from duebell.ledger.engine import reading
from duebell.ledger.inbox import NewEvent
from duebell.ledger.tables import InvoiceSnapshot, Tenant
from duebell.ledger.writing import writing
from duebell.planning import draining
from duebell.planning.planning import plan_kind
from duebell.render.message_text import write_text
from duebell.render.rendering import Templates
from duebell.render.template_links import SaysLinks
from duebell.sending.telling import rules_of
from tests.support_calls import Desk, too_many
from tests.support_facts import (
    INVOICE,
    NOW,
    TENANT,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    resources_over,
)
from tests.support_overdue import a_payment

LINK = "https://in.xero.com/bCWCCfytGdTXoJam9HENWlQt07G6zcDaj4gQojHu"
BY_EMAIL = '[invoice_issued]\nopens = "00:00"\ncloses = "00:00"\nchannels = ["email"]\n'
BY_SMS = BY_EMAIL.replace("email", "sms")


def online(path: str) -> httpx.Response | None:
    body = {"OnlineInvoices": [{"OnlineInvoiceUrl": LINK}]}
    return httpx.Response(200, json=body) if path.endswith("/OnlineInvoice") else None


def desk_with(engine: Engine, folder: Path, policy: str) -> Desk:
    desk = Desk(engine)
    desk.xero.refuse = online
    (folder / "policy.toml").write_text(policy)
    made = resources_over(
        engine,
        desk.clock,
        xero=desk.xero,
        DUEBELL_POLICY=str(folder / "policy.toml"),
        EMAIL_FROM="a@kauri.example",
    )
    desk.resources = replace(made, vault=desk.resources.vault)
    return desk


def opened(engine: Engine, folder: Path, policy: str = BY_EMAIL) -> Desk:
    """A desk with one invoice that is to be told of now, and what it is to be told by."""
    desk = desk_with(engine, folder, policy)
    keep_contact(engine, EmailAddress="rimu@example.com")
    keep_invoice(engine)
    planned(desk, INVOICE_ISSUED, INVOICE)
    return desk


def planned(desk: Desk, kind: str, *invoice_ids: str) -> None:
    with writing(desk.engine, NOW) as book:
        rules = rules_of(desk.resources)
        plan_kind(book, TENANT, kind, invoice_ids, rules, actor="test", flow_run_id=None)


def fetched(desk: Desk) -> int:
    return online_links.fetch(desk.access(purpose=Purpose.LINKS), INVOICE_ISSUED, [INVOICE])


def kept(engine: Engine) -> str:
    with reading(engine) as session:
        return session.exec(select(InvoiceSnapshot.online_link)).one()


def text(desk: Desk) -> str:
    with writing(desk.engine, NOW) as book:
        known = known_of(book.session, TENANT, [INVOICE])
        row = present.notification(book.session, 1)
        leg = legs.current(book.session, row)
        return write_text(book, desk.resources.templates, row, leg, known, desk.resources.policy)


def test_a_link_is_asked_for_once_and_said_by_the_email(ledger: Engine, tmp_path: Path) -> None:
    desk = opened(ledger, tmp_path)
    assert "See it online" not in text(desk)
    assert (fetched(desk), fetched(desk)) == (1, 0)
    assert kept(ledger) == LINK
    assert f"See it online: {LINK}" in text(desk)


@pytest.mark.parametrize(
    ("policy", "asked"),
    [
        (BY_EMAIL + "online_link = []", 0),
        (BY_EMAIL + 'online_link = ["sms"]', 0),
        (BY_SMS, 0),
        (BY_SMS + 'online_link = ["sms"]', 1),
    ],
)
def test_a_link_costs_a_call_only_where_the_policy_wants_it_said(
    sqlite_ledger: Engine, tmp_path: Path, policy: str, asked: int
) -> None:
    desk = opened(sqlite_ledger, tmp_path, policy)
    assert fetched(desk) == asked
    assert kept(sqlite_ledger) == LINK * asked
    assert text(desk).count(LINK) == asked


def test_a_template_that_says_no_link_costs_no_call(sqlite_ledger: Engine, tmp_path: Path) -> None:
    desk = opened(sqlite_ledger, tmp_path)
    folder = tmp_path / "templates" / "invoice_issued" / "en"
    folder.mkdir(parents=True)
    for part in ("subject.txt", "body.txt"):
        (folder / part).write_text("{# link #} {{ organisation }} link")
    settings = desk.resources.settings.model_copy(update={"templates": tmp_path / "templates"})
    desk.resources = replace(desk.resources, settings=settings)
    assert fetched(desk) == 0


def reserved(engine: Engine) -> None:
    with engine.begin() as connection:
        left = {"day_remaining": 100, "day_began_with": 1000, "limits_at": NOW}
        connection.execute(update(Tenant).values(**left))


def nearly_spent(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(Tenant).values(minute_remaining=0, limits_at=NOW))


@pytest.mark.parametrize("limit", [reserved, nearly_spent])
def test_no_limit_is_waited_for_or_spent_because_of_a_link(
    sqlite_ledger: Engine, tmp_path: Path, limit: Callable[[Engine], None]
) -> None:
    desk = opened(sqlite_ledger, tmp_path)
    limit(sqlite_ledger)
    fetched(desk)
    assert desk.xero.asked == []
    assert desk.slept == []
    assert text(desk).startswith("Hello")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, json={}),
        httpx.Response(500),
        httpx.Response(401, json={"Detail": "AuthorizationUnsuccessful"}),
        httpx.Response(200, json={"OnlineInvoices": []}),
        httpx.Response(200, json={"OnlineInvoices": [{"OnlineInvoiceUrl": "javascript:alert(1)"}]}),
        too_many("day", 3600),
    ],
)
def test_whatever_xero_answers_a_message_is_said_without_its_link(
    sqlite_ledger: Engine, tmp_path: Path, answer: httpx.Response
) -> None:
    desk = opened(sqlite_ledger, tmp_path)
    desk.xero.refuse = lambda path: answer if path.endswith("/OnlineInvoice") else None
    assert fetched(desk) == 1
    assert kept(sqlite_ledger) == ""
    assert text(desk).startswith("Hello")


AT_ANY_HOUR = 'opens = "00:00"\ncloses = "00:00"\n'
REMINDED = (
    f'[invoice_overdue]\n{AT_ANY_HOUR}days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]\n'
    "on_holidays = true\n"
)
PAID = f"[payment_received]\n{AT_ANY_HOUR}"
FIRST, LAST = numbered(1), numbered(2)


def link_of(invoice_id: str) -> str:
    return f"https://in.xero.com/{invoice_id}"


def online_by_id(path: str) -> httpx.Response | None:
    *_, invoice_id, what = path.split("/")
    body = {"OnlineInvoices": [{"OnlineInvoiceUrl": link_of(invoice_id)}]}
    return httpx.Response(200, json=body) if what == "OnlineInvoice" else None


def two_told_together(engine: Engine, folder: Path, kind: str, section: str, channel: str) -> Desk:
    """What leads is about the invoice that is due later, and has the higher number, than the other."""
    desk = desk_with(engine, folder, f'{section}channels = ["{channel}"]\nonline_link = ["{channel}"]\n')
    desk.xero.refuse = online_by_id
    ben = {"FirstName": "Ben", "EmailAddress": "ben@example.com", "IncludeInEmails": True}
    keep_contact(engine, EmailAddress="rimu@example.com", ContactPersons=[ben])
    for invoice_id, due_on, number in ((FIRST, 19, "INV-9"), (LAST, 13, "INV-8")):
        fields: dict[str, Any] = {
            "InvoiceNumber": number,
            "DateString": "2026-11-01T00:00:00",
            "DueDateString": f"2026-11-{due_on}T00:00:00",
            "Payments": [a_payment(due_on, 5, NOW.date())] if kind == PAYMENT_RECEIVED else [],
        }
        keep_invoice(engine, invoice_body(invoice_id, **fields))
    if kind == PAYMENT_RECEIVED:
        drained(desk)
    else:
        planned(desk, kind, FIRST, LAST)
    return desk


def drained(desk: Desk) -> None:
    new = [NewEvent(TENANT, "INVOICE", one, "UPDATE", NOW.isoformat(), NOW) for one in (FIRST, LAST)]
    inbox.keep(desk.engine, new, [], now=NOW)
    claimed = inbox.claim(desk.engine, TENANT, now=NOW, most=2)
    with writing(desk.engine, NOW) as book:
        draining.record_changes(
            book, TENANT, claimed, Reading(0, 1), rules_of(desk.resources), flow_run_id=None
        )


def said_together(desk: Desk, kind: str) -> list[str]:
    with writing(desk.engine, NOW) as book:
        rows = present.of_invoices(book.session, TENANT, kind, [FIRST, LAST])
        known, leads = known_of(book.session, TENANT, [FIRST, LAST]), [row for row in rows if not row.lead_id]
        assert len(rows) == 2 * len(leads)
        assert {row.invoice_id for row in leads} == {FIRST}
        templates, policy = desk.resources.templates, desk.resources.policy
        return [
            write_text(book, templates, row, legs.current(book.session, row), known, policy) for row in leads
        ]


@pytest.mark.parametrize("run_of", [[FIRST, LAST], [FIRST], [LAST]])
@pytest.mark.parametrize(("kind", "section"), [(INVOICE_OVERDUE, REMINDED), (PAYMENT_RECEIVED, PAID)])
def test_an_sms_of_several_invoices_asks_for_the_link_that_it_says(
    ledger: Engine, tmp_path: Path, kind: str, section: str, run_of: list[str]
) -> None:
    desk = two_told_together(ledger, tmp_path, kind, section, "sms")
    own = tmp_path / "templates" / kind / "en"
    own.mkdir(parents=True)
    (own / "sms.txt").write_text("{{ invoice.number }}: {{ link | default('none') }}")
    settings = desk.resources.settings.model_copy(update={"templates": tmp_path / "templates"})
    desk.resources = replace(desk.resources, settings=settings)
    assert online_links.fetch(desk.access(purpose=Purpose.LINKS), kind, run_of) == 1
    assert said_together(desk, kind) == [f"INV-8: {link_of(LAST)}"]


def test_emails_of_several_invoices_ask_for_each_link_once_for_all_who_read_them(
    ledger: Engine, tmp_path: Path
) -> None:
    desk = two_told_together(ledger, tmp_path, INVOICE_OVERDUE, REMINDED, "email")
    access = desk.access(purpose=Purpose.LINKS)
    assert online_links.fetch(access, INVOICE_OVERDUE, [FIRST, LAST]) == 2
    said = said_together(desk, INVOICE_OVERDUE)
    assert len(said) == 2
    assert all(link_of(one) in text for text in said for one in (FIRST, LAST))


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ link }}", SaysLinks(first=True)),
        ("{% if link %}x{% endif %}", SaysLinks(first=True)),
        ("{% for one in invoices %}{{ one.link }}{% endfor %}", SaysLinks(each=True)),
        ("link {{ invoice.number }}", SaysLinks()),
        ("{{ broken", SaysLinks()),
    ],
)
def test_a_template_is_read_for_the_links_that_it_says(
    tmp_path: Path, template: str, says: SaysLinks
) -> None:
    (tmp_path / "kind" / "en").mkdir(parents=True)
    (tmp_path / "kind" / "en" / "sms.txt").write_text(template)
    assert Templates(tmp_path).says_links("kind/en", "sms.txt") == says
    assert Templates(tmp_path).says_links("kind/en", "body.txt") == SaysLinks()
