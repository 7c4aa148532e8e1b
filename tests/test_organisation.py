"""What Xero says of an organisation is kept in step once a day, whatever it does not tell."""

import json
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Engine, update
from sqlmodel import col, select

from duebell.books import organisation
from duebell.books.calls import Purpose
from duebell.deciding.known import known_of
from duebell.deciding.routing import route_of
from duebell.errors import RateLimited, TenantParked
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import tenants
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit, Tenant
from duebell.ledger.themes import names_of
from duebell.policy_file.policy import Policy
from duebell.policy_file.rules import Rule, RuleThen, RuleWhen
from tests.support_calls import Desk, too_many
from tests.support_facts import INVOICE, NOW, TENANT, invoice_body, keep_invoice


def read_organisation(desk: Desk) -> bool:
    return organisation.refresh(desk.access(purpose=Purpose.ORGANISATION))


def test_the_organisation_is_read_once_a_day_and_kept_in_step(ledger: Engine) -> None:
    desk = Desk(ledger)
    with ledger.begin() as connection:
        connection.execute(update(Tenant).values(name="Old Name", timezone="UTC"))
    assert [read_organisation(desk) for _ in range(3)] == [True, False, False]
    tenant = tenants.get(ledger, TENANT)
    assert (tenant.name, tenant.timezone, tenant.base_currency) == (
        "Kauri Test Limited", "Pacific/Auckland", "NZD",
    )  # fmt: skip
    assert (tenant.xero_reminders, tenant.organisation_read_at) == (True, NOW)
    with reading(ledger) as session:
        changed = select(Audit.details).where(Audit.action == "organisation changed")
        entries = session.exec(changed.order_by(col(Audit.sequence))).all()
    assert [json.loads(one)["changed"] for one in entries] == [
        "name, legal_name, short_code, base_currency, timezone", "xero_reminders",
    ]  # fmt: skip
    desk.clock.now += timedelta(days=1)
    assert read_organisation(desk)
    assert len(desk.xero.asked) == 6


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, html="<p>cannot be found</p>"),
        httpx.Response(401, json={"Detail": "AuthorizationUnsuccessful"}),
        httpx.Response(403, json={"Detail": "You are not permitted to access this resource"}),
        httpx.Response(400, json={"ErrorNumber": 16}),
        httpx.Response(200, json={"InvoiceReminders": []}),
    ],
)
def test_that_xero_does_not_tell_of_its_reminders_is_no_error(
    sqlite_ledger: Engine, answer: httpx.Response
) -> None:
    desk = Desk(sqlite_ledger)
    desk.xero.refuse = lambda path: answer if "Reminders" in path else None
    assert read_organisation(desk)
    assert tenants.get(sqlite_ledger, TENANT).xero_reminders is None
    assert tenants.get(sqlite_ledger, TENANT).organisation_read_at == NOW
    assert tenants.get(sqlite_ledger, TENANT).state == "connected"


def test_the_names_of_branding_themes_are_kept_and_a_rule_may_ask_for_them(sqlite_ledger: Engine) -> None:
    desk, theme = Desk(sqlite_ledger), "abcdef01-0000-4000-8000-000000000001"
    body = {"BrandingThemes": [{"BrandingThemeID": theme, "Name": "Very orange", "SortOrder": 0}]}
    desk.xero.refuse = lambda path: httpx.Response(200, json=body) if "Themes" in path else None
    assert read_organisation(desk)
    keep_invoice(sqlite_ledger, invoice_body(BrandingThemeID=theme))
    with reading(sqlite_ledger) as session:
        known = known_of(session, TENANT, [INVOICE])[INVOICE]
    assert known.theme_name == "Very orange"
    rule = Rule(when=RuleWhen(branding_theme=("very ORANGE",)), then=RuleThen(tone="firm"))
    assert route_of(INVOICE_ISSUED, INVOICE, "", known, Policy.model_validate({"rule": [rule]})).place == 1
    desk.clock.now += timedelta(days=1)
    desk.xero.refuse = lambda path: (
        httpx.Response(401, json={"Detail": "AuthorizationUnsuccessful"}) if "Themes" in path else None
    )
    assert read_organisation(desk)
    assert names_of(tenants.get(sqlite_ledger, TENANT)) == {theme: "Very orange"}


@pytest.mark.parametrize("answer", [httpx.Response(500), httpx.Response(503), httpx.Response(200, text="{")])
def test_what_xero_cannot_tell_now_stays_as_it_was_and_the_organisation_is_in_step(
    sqlite_ledger: Engine, answer: httpx.Response
) -> None:
    desk = Desk(sqlite_ledger)
    with sqlite_ledger.begin() as connection:
        connection.execute(update(Tenant).values(name="Old Name", xero_reminders=True))
    desk.xero.refuse = lambda path: answer if "Reminders" in path or "Themes" in path else None
    assert [read_organisation(desk) for _ in range(96)] == [True, *[False] * 95]
    tenant = tenants.get(sqlite_ledger, TENANT)
    assert (tenant.name, tenant.xero_reminders) == ("Kauri Test Limited", True)
    assert len(desk.xero.asked) == 3


@pytest.mark.parametrize("problem", ["day", "minute"])
def test_a_limit_in_between_leaves_the_rest_for_later_and_loses_nothing(
    sqlite_ledger: Engine, problem: str
) -> None:
    desk = Desk(sqlite_ledger)
    with sqlite_ledger.begin() as connection:
        connection.execute(update(Tenant).values(name="Old Name"))
    desk.xero.refuse = lambda path: too_many(problem, 60) if "Themes" in path else None
    with pytest.raises((TenantParked, RateLimited)):
        read_organisation(desk)
    assert tenants.get(sqlite_ledger, TENANT).name == "Kauri Test Limited"
    desk.xero.refuse = lambda _path: None
    desk.clock.now += timedelta(hours=1)
    assert read_organisation(desk)
    assert tenants.get(sqlite_ledger, TENANT).xero_reminders is True
