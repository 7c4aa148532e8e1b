"""Why somebody was told, or was not: for every invoice, also one about which nothing was ever decided."""

from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Engine, update
from typer.testing import CliRunner, Result

from deployments.cli import app
from deployments.explain import show
from duebell.errors import Permanent
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE
from duebell.ledger import inbox, tenants
from duebell.ledger.braking import EVERYTHING
from duebell.ledger.inbox import NewEvent
from duebell.ledger.tables import KeptVerdict, PolicyText, Tenant
from duebell.ledger.writing import writing
from duebell.showing import explaining
from duebell.showing.explanation import Explanation
from tests.support_facts import (
    MOBILE,
    TENANT,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
)
from tests.support_office import environment_of
from tests.support_overdue import Office, a_payment, at, due, office_over, policy_text

DUE = date(2026, 11, 2)
SOON = "once the next sweep has looked at it"
RULE = '[[rule]]\nname = "big"\nwhen = { currency = "NZD", amount_from = 100 }\nthen = { tone = "firm" }'


def started(engine: Engine, folder: Path) -> Office:
    """A customer in New Zealand, four days before what they owe is due."""
    open_tenant(engine)
    office = office_over(engine, folder, at(DUE - timedelta(days=4)), policy_text(rest=RULE))
    keep_contact(engine, read_at=office.clock.now)
    return office


@pytest.fixture
def office(sqlite_ledger: Engine, tmp_path: Path) -> Office:
    return started(sqlite_ledger, tmp_path)


def silent(office: Office, wanted: str, kind: str) -> list[str]:
    """Why nothing more stands of a kind."""
    return [why for _, why in explaining.explain(office.resources, wanted, kind).silent]


def run(office: Office, folder: Path, *words: str) -> Result:
    url = office.engine.url.render_as_string(hide_password=False)
    environment = environment_of(folder / "home", url, "http://127.0.0.1:9")
    environment |= {"DUEBELL_POLICY": str(folder / "policy.toml"), "COLUMNS": "300"}
    return CliRunner().invoke(app, list(words), env=environment)


def told(office: Office) -> None:
    """An invoice from its issue over a reminder and a part payment to a promise."""
    office.keeps(1, **due(DUE), AmountPaid=0)
    office.hears(1)
    office.tells([numbered(1)], INVOICE_ISSUED)
    office.later(days=5)
    office.day()
    office.later(days=7)
    paid = {"AmountDue": 65, "AmountPaid": 50, "Payments": [a_payment(1, 50, DUE)]}
    office.keeps(1, **due(DUE), **paid, ExpectedPaymentDate="2026-11-12T00:00:00")
    office.day()


def test_an_invoice_is_explained_from_its_first_read_to_its_latest_silence(
    ledger: Engine, tmp_path: Path
) -> None:
    office = started(ledger, tmp_path)
    told(office)
    shown = run(office, tmp_path, "explain", "INV-0001")
    assert shown.exit_code == 0, shown.output
    lines = [line.strip() for line in shown.output.splitlines()]
    same = "decided again from what was kept: the same"
    assert lines[:3] == [
        "INV-0001 of Kauri Test Limited",
        "29 Oct 2026 10:00 Xero: first read: approved, 115.00 of 115.00 NZD owed, due 02 Nov 2026",
        "10 Nov 2026 10:00 Xero: payment of 02 Nov 2026 over 50.00 NZD received; "
        "expected to be paid 12 Nov 2026; 65.00 NZD owed",
    ]
    assert "invoice overdue, stage overdue to customer +64•••••567 is accepted" in lines
    last = lines.index(
        "invoice overdue, stage second to customer +64•••••567 is held: "
        "Xero has an expected payment date that has not passed yet"
    )
    held = lines[last + 1 :]
    assert held[0].startswith(
        "10 Nov 2026 10:00 overdue_sweep: waits until 14 Nov 2026 00:00 (sms to +64•••••567)"
    )
    assert held[1].startswith("no rule matches; policy ")
    assert held[2].endswith(
        "65.00 of 115.00 NZD owed, due 02 Nov 2026, expected to be paid 12 Nov 2026, 1 payment"
    )
    assert held[5:7] == ["reminded before: 03 Nov 2026 10:00", same]
    assert any(line.startswith("rule 1 (big), by currency, amount_from; policy ") for line in lines)
    assert lines.count(same) == 5
    assert MOBILE not in shown.output


def test_money_of_three_decimals_and_of_none_is_shown_whole(office: Office) -> None:
    money = {"Total": 10.125, "AmountDue": 10.125, "AmountPaid": 0}
    office.keeps(1, **due(DUE), CurrencyCode="KWD", **money)
    office.keeps(2, **due(DUE), CurrencyCode="JPY", Total=1200, AmountDue=1200)
    office.later(days=1)
    paid = {"AmountDue": 5.005, "AmountPaid": 5.12, "Payments": [a_payment(1, 5, DUE) | {"Amount": 5.12}]}
    office.keeps(1, **due(DUE), CurrencyCode="KWD", **(money | paid))
    kwd, jpy = (explaining.explain(office.resources, one).happened for one in ("INV-0001", "INV-0002"))
    assert [one.what for one in kwd] == [
        "first read: approved, 10.125 of 10.125 KWD owed, due 02 Nov 2026",
        "payment of 02 Nov 2026 over 5.120 KWD received; 5.005 KWD owed",
    ]
    assert jpy[0].what == "first read: approved, 1200 of 1200 JPY owed, due 02 Nov 2026"


def shown_at(office: Office, moment: datetime, kind: str = "") -> str:
    console = Console(width=300, file=StringIO(), record=True)
    show(console, explaining.explain(office.resources, "INV-0001", kind, moment))
    return console.export_text()


def test_it_is_explained_as_it_stood_at_a_time(office: Office) -> None:
    told(office)
    shown = shown_at(office, datetime.fromisoformat("2026-11-04"), INVOICE_OVERDUE)
    assert "stage overdue to customer" in shown
    assert "no stage is due" not in shown
    assert "stage second" not in shown
    assert "50.00 NZD received" not in shown
    earlier = shown_at(office, datetime.fromisoformat("2026-10-29T12:00"), INVOICE_OVERDUE)
    assert "no stage is due: the next, soon, comes on 30 Oct 2026" in earlier
    assert "it had not been read by then" in shown_at(office, datetime.fromisoformat("2026-10-01"))


def test_nothing_is_explained_as_it_will_stand(office: Office, tmp_path: Path) -> None:
    told(office)
    tomorrow = datetime.fromisoformat("2026-11-11")
    with pytest.raises(Permanent, match="11 Nov 2026 00:00 has not come yet: --at looks back"):
        explaining.explain(office.resources, "INV-0001", at=tomorrow)
    shown = run(office, tmp_path, "explain", "INV-0001", "--at", "9990-11-04")
    assert shown.exit_code == 1
    assert "has not come yet" in shown.output


def test_a_verdict_that_cannot_have_been_made_so_is_said_to_be_another(office: Office) -> None:
    office.keeps(1, **due(DUE - timedelta(days=10)))
    office.sweeps()
    with writing(office.engine, office.clock.now) as book:
        skip = '{"skip":{"reason":"already_paid","detail":""}}'
        book.session.connection().execute(update(KeptVerdict).values(verdict=skip))
    [person] = explaining.explain(office.resources, "INV-0001").people
    assert person.steps[0].what == "is not said: nothing is owed on the invoice any more"
    assert person.steps[0].details[-1] == (
        "decided again from what was kept: it now goes out by sms to +64•••••567. "
        "That is another verdict: Duebell was changed since"
    )


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"Type": "ACCPAY"}, ["it is not a sales invoice"]),
        ({"Status": "DRAFT"}, ["the invoice is not approved"]),
        ({"Status": "VOIDED"}, ["the invoice was voided or deleted"]),
        ({"Status": "PAID", "AmountDue": 0}, ["nothing is owed on the invoice any more"]),
        ({"DueDateString": None}, ["the invoice has no due date"]),
        ({"DueDateString": "2026-12-20T00:00:00"}, ["no stage is due: the next, soon, comes on 17 Dec 2026"]),
        (
            {"DueDateString": "2026-09-28T00:00:00"},
            [
                f"stage last, to the customer: goes out by sms to +64•••••567, {SOON}; "
                "rule 1 (big), by currency, amount_from",
                f"stage last, to the team:accounts: goes out by sms to +64•••••000, {SOON}",
            ],
        ),
        (
            {"DueDateString": "2026-08-01T00:00:00"},
            ["the ladder is over: the days of its last stage, last, have passed"],
        ),
    ],
)
def test_a_reminder_that_was_never_planned_has_its_reason_and_its_day(
    office: Office, fields: dict[str, Any], why: list[str]
) -> None:
    keep_invoice(office.engine, invoice_body(numbered(1), **fields), read_at=office.clock.now)
    assert silent(office, "INV-0001", INVOICE_OVERDUE) == why


def test_what_is_switched_off_and_what_was_known_before_are_told_apart(office: Office) -> None:
    body, now = invoice_body(numbered(1)), office.clock.now
    keep_invoice(office.engine, body, read_at=now, silent_until=now + timedelta(days=99))
    [known] = silent(office, numbered(1), INVOICE_ISSUED)
    assert known == "to the customer: is not said: the invoice stood in Xero before Duebell was connected"
    office.resources.settings.policy.write_text(
        "[invoice_issued]\nenabled = false\n[invoice_overdue]\nenabled = false"
    )
    off = "this kind of message is switched off in the policy"
    assert silent(office, numbered(1), INVOICE_ISSUED) == [f"to the customer: is not said: {off}"]
    assert silent(office, numbered(1), INVOICE_OVERDUE) == [off]


def test_what_was_not_read_yet_and_what_nobody_knows_are_said_so(office: Office, tmp_path: Path) -> None:
    now = office.clock.now
    inbox.keep(office.engine, [NewEvent(TENANT, "INVOICE", numbered(7), "CREATE", "1", now)], [], now=now)
    found = explaining.explain(office.resources, numbered(7))
    assert found == Explanation(
        f"Xero told of {numbered(7)} at 28 Oct 2026 21:00 UTC, and it has not been read yet: "
        "the event is pending",
        "UTC",
    )
    unknown = run(office, tmp_path, "explain", "INV-9")
    assert unknown.exit_code == 1
    assert unknown.output.startswith("no invoice is known as INV-9, and no event named it: check the number.")
    with pytest.raises(Permanent, match="no kind of message 'sms'"):
        explaining.explain(office.resources, "INV-9", "sms")
    for number in (1, 2):
        keep_invoice(office.engine, invoice_body(numbered(number), InvoiceNumber="INV-X"), read_at=now)
    with pytest.raises(Permanent, match="several invoices are known as INV-X"):
        explaining.explain(office.resources, "INV-X")


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({}, "sending was stopped by person:test, because a slip: `duebell resume` lets it go on"),
        ({"state": "refused"}, "run `duebell connect`"),
        ({"synced_at": None}, "was never read whole, and until then its events wait"),
        ({"parked_until": at(DUE)}, "its messages wait until 2026-11-01 21:00 UTC"),
    ],
)
def test_what_keeps_everything_waiting_is_said_of_each_message(
    office: Office, tmp_path: Path, columns: dict[str, Any], why: str
) -> None:
    """Its own verdict says nothing of that, and may be of an hour that has passed."""
    told(office)
    then = office.clock.now
    office.later(days=1)
    with writing(office.engine, office.clock.now) as book:
        if columns:
            book.session.exec(update(Tenant).values(**columns))
        else:
            tenants.brake(book, stopped=True, by="person:test", why="a slip", scope=EVERYTHING)
    if "parked_until" in columns:
        office.clock.now = at(DUE) - timedelta(hours=1)
    [said] = explaining.explain(office.resources, "INV-0001").still
    assert why in said
    event = NewEvent(TENANT, "INVOICE", numbered(7), "CREATE", "now", None)
    inbox.keep(office.engine, [event], [], now=office.clock.now)
    assert explaining.explain(office.resources, numbered(7)).still == (said,), "of what was never read too"
    assert explaining.explain(office.resources, "INV-0001", at=min(then, office.clock.now)).still == ()
    if "parked_until" not in columns:
        assert f"Nothing goes out now: {said}" in run(office, tmp_path, "explain", "INV-0001").output


def test_a_policy_of_an_earlier_version_hides_nothing_but_the_decision_made_again(office: Office) -> None:
    """Verdicts are kept for thirteen months, and a newer Duebell may not know all words of their policies."""
    told(office)
    then = office.clock.now
    with writing(office.engine, office.clock.now) as book:
        book.session.exec(update(PolicyText).values(text="[words_of_old]\nsaid = true\n"))
    [person] = explaining.explain(office.resources, "INV-0001", INVOICE_ISSUED).people
    assert person.steps[0].what.startswith("goes out by sms")
    assert person.steps[0].details == (
        "It cannot be decided again: the policy that it was made by is of another version of Duebell.",
    )
    [before] = explaining.explain(office.resources, "INV-0001", INVOICE_ISSUED, at=then).people
    assert before.steps == person.steps


def test_what_no_run_takes_up_is_said_with_where_to_look(office: Office) -> None:
    office.keeps(1, **due(DUE), AmountPaid=0)
    office.hears(1)
    [at_once] = explaining.explain(office.resources, "INV-0001", INVOICE_ISSUED).people
    office.later(hours=1)
    [later] = explaining.explain(office.resources, "INV-0001", INVOICE_ISSUED).people
    with writing(office.engine, office.clock.now) as book:
        tenants.brake(book, stopped=True, by="person:test", why="", scope=EVERYTHING)
    [stopped] = explaining.explain(office.resources, "INV-0001", INVOICE_ISSUED).people

    assert (at_once.stands, stopped.stands) == ("planned", "planned")
    assert later.stands.startswith("planned: no run has taken it up since 29 Oct 2026 10:00. See that")


def test_what_a_number_would_do_to_the_terminal_is_shown_instead(office: Office, tmp_path: Path) -> None:
    office.keeps(1, **due(DUE), InvoiceNumber="\x1b[2J\x1b]8;;https://evil.example\x1b\\[red]7\u202e")
    shown = run(office, tmp_path, "explain", numbered(1))
    assert shown.exit_code == 0, shown.output
    heading = "\\x1b[2J\\x1b]8;;https://evil.example\\x1b\\[red]7\\u202e of Kauri Test Limited"
    assert shown.output.splitlines()[0] == heading
    assert "\x1b" not in shown.output


def test_a_mistake_in_the_policy_hides_nothing_that_happened(office: Office, tmp_path: Path) -> None:
    told(office)
    sound = run(office, tmp_path, "explain", "INV-0001").output
    (tmp_path / "policy.toml").write_text("[invoice_overdue\n")
    shown = run(office, tmp_path, "explain", "INV-0001")
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert lines[:3] == sound.splitlines()[:3]
    assert shown.output.count("decided again from what was kept: the same") == 5
    [remark] = [line for line in lines if "policy.toml" in line]
    assert remark.startswith("what else would be said cannot be told: policy.toml cannot be understood")
