"""``duebell policy check``: each finding names file, line and mend; what is shipped has nothing to mend."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from deployments.cli import app
from duebell.ledger import snapshots
from duebell.lint.checking import Checked, check
from duebell.lint.findings import Grade
from duebell.policy_file.policy import read_policy
from duebell.xero.parse import parse_contact_body, parse_invoice_body
from tests.support_facts import (
    CONTACT,
    OTHER_TENANT,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
)
from tests.support_office import environment_of

DEPLOYMENTS = Path(__file__).resolve().parents[1] / "deployments"
NOW = datetime(2026, 11, 20, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEPLOYMENTS / "templates", tmp_path / "templates"))


def checked(text: str, folder: Path, engine: Engine | None = None) -> Checked:
    policy = read_policy(text.encode(), Path("policy.toml"))
    return check(text, "policy.toml", policy, folder, engine, NOW)


def said(text: str, folder: Path, engine: Engine | None = None) -> list[str]:
    """Each finding as it is read, without those that the shipped policy has too."""
    found = checked(text, folder, engine).findings
    lines = [f"{one.grade} {one.file}:{one.line} {one.said}" for one in found]
    return [line for line in lines if "team 'accounts', which hears" not in line and "_team/sms" not in line]


@pytest.mark.parametrize("file", ["policy.toml", "demo_policy.toml"])
def test_what_is_shipped_has_nothing_to_mend(folder: Path, file: str) -> None:
    found = checked((DEPLOYMENTS / file).read_text(), folder)
    assert [one for one in found.findings if one.grade is Grade.MEND] == []
    assert found.messages > 50


@pytest.mark.parametrize(
    ("file", "before", "after", "expected"),
    [
        ("invoice_issued/en/sms.txt", "{{ organisation }}:", "{{ organisaton }}:",
         "there is no field organisaton. Did you mean organisation?"),
        ("invoice_issued/en/sms.txt", " Thank you.", "{{ invoice.reference }}",
         "the field invoice.reference is empty; guard it with if"),
        ("invoice_issued/en/sms.txt", " Thank you.", "{{ 1 + 1 }}", "add is not"),
        ("invoice_issued/en/sms.txt", " Thank you.", "{{ broken", ""),
        ("invoice_issued/en/subject.txt", "{{", "\u202e{{",
         "holds the character U+202E (right-to-left override), which no subject can have. Remove it"),
        ("invoice_issued/de/sms.txt", "{{ organisation }}:", "{{ organisaton }}:",
         "there is no field organisaton. Did you mean organisation?"),
        ("payment_received/en/sms.txt", "money(payment.currency) }}.", 'money("NZD") }}.',
         "writes every amount in NZD. Write money(invoice.currency)"),
        ("needs_attention_team/en/sms.txt", "{{ first.why }}", "{{ first.reference }}",
         "the field first.reference is empty; guard it with if"),
        ("needs_attention_team/ar/body.txt", "{{ one.promised_on | day }}", "{{ one.promised_on }}",
         "an amount or a day is printed without the filter"),
        ("invoice_issued_team/de/sms.txt", "{{ organisation }}:", "{{ organisaton }}:",
         "there is no field organisaton. Did you mean organisation?"),
        ("payment_received_team/en/body.txt", "{{ one.link }}", "{{ one.reference }}",
         "the field paid.reference is empty; guard it with if"),
        ("digest_team/de/sms.txt", "{{ first_overdue.number }}", "{{ first_overdue.stages }}",
         "there is no field first_overdue.stages. Did you mean"),
        ("invoice_overdue_team/en/body.txt", "money(one.currency)", "money(invoice.currency)",
         "writes an amount of one in the currency of invoice"),
    ],
)  # fmt: skip
def test_a_template_s_mistake_is_named_with_its_line(
    folder: Path, file: str, before: str, after: str, expected: str
) -> None:
    line = edit(folder / file, before, after)
    assert [one for one in said("", folder) if one.startswith(f"mend {file}:{line} {expected}")] != []


def edit(file: Path, before: str, after: str) -> int:
    """Write something else in a template's last place of it; returns its line."""
    source = file.read_text()
    head, found, tail = source.rpartition(before)
    assert found
    file.write_text(head + after + tail)
    return head.count("\n") + 1


def test_what_the_stage_of_the_due_date_says_after_it_is_looked_at_too(folder: Path) -> None:
    file = "invoice_overdue/en/sms.txt"
    line = edit(folder / file, "and is still open.", "and open since {{ invoice.due }}.")
    found = said('[[invoice_overdue.stage]]\nname = "today"\ndays = 0', folder)
    assert any(one.startswith(f"mend {file}:{line} there is no field invoice.due") for one in found), found


def test_a_gap_and_what_grows_an_sms_are_named_with_their_lines(folder: Path) -> None:
    line = edit(folder / "invoice_issued/en/body.txt", "Hello,{% endif %}", "Hello{% endif %} ,")
    gap = f'mend invoice_issued/en/body.txt:{line} leaves a gap: "," stands where a word is missing'
    macron = edit(folder / "invoice_issued/en/sms.txt", " Thank you.", " Thank y\u014du.")
    edit(folder / "payment_received/en/sms.txt", "thank you", "x" * 160)
    found = said("", folder)
    assert any(one.startswith(gap) for one in found), found
    assert any(
        f"hint invoice_issued/en/sms.txt:{macron} the character \u014d makes an" in one for one in found
    )
    assert any(re.match(r"hint payment_received/en/sms.txt:\d+ .* 2 SMS instead of 1", one) for one in found)


def test_a_language_that_the_policy_wants_and_nobody_wrote_is_named(folder: Path) -> None:
    found = said('[language.by_country]\nFR = "fr"', folder)
    assert any(one.startswith("hint invoice_issued/fr:0 is not there, so it is said in en") for one in found)
    found = said('[language]\ndefault = "fr"', folder)
    assert any(one.startswith("mend invoice_issued/fr:0 is not there, so its messages") for one in found)


def test_a_folder_that_nobody_reads_and_one_that_a_rule_misses_are_named(folder: Path) -> None:
    (folder / "invoice_overdu" / "en").mkdir(parents=True)
    (folder / "invoice_overdu" / "en" / "sms.txt").write_text("x")
    (folder / "invoice_issued" / "en" / "sms.text").write_text("x")
    rule = '[[rule]]\nname = "mine"\nwhen = { stage = "last" }\nthen = { template = "strict" }'
    found = "\n".join(said(rule, folder))
    assert "hint invoice_overdu/en:0 is read by nobody: no kind and no rule has it. Did you mean" in found
    assert "hint invoice_issued/en/sms.text:0 is read by nobody" in found
    assert "mend invoice_overdue/strict/en:0 is not there" in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[invoice_issued]\nopens = "06:30"', "hint policy.toml:2 [invoice_issued] opens is early"),
        ('[invoice_issued]\nopens = "00:00"\ncloses = "00:00"',
         "hint policy.toml:2 [invoice_issued] opens lets messages go out at night"),
        ('[invoice_overdue]\nopens = "09:10"\ncloses = "09:40"',
         "hint policy.toml:3 [invoice_overdue] closes comes less than an hour after opens"),
        ('[team.sales]\ndigest = "each"',
         "hint policy.toml:1 [team] sales is told nothing. Give it phones"),
        ('[team.sales]\nemails = ["sales@kauri.example"]\nhears = []',
         "hint policy.toml:1 [team] sales is told nothing. Name it where something is told"),
        ('[payment_received]\ntell = ["team:sales"]\n[team.sales]\ndigest = "each"',
         "hint policy.toml:2 [payment_received] tell names the team 'sales', which hears nothing"),
        ("[invoice_issued]\nteam_from = { NZX = 500 }",
         "hint policy.toml:2 [invoice_issued] team_from.NZX is no currency. Did you mean NZD?"),
        ("[payment_received]\nteam_from = { NZX = 500 }",
         "hint policy.toml:2 [payment_received] team_from.NZX is no currency. Did you mean NZD?"),
        ('[language]\nby_country = { UK = "de" }',
         "hint policy.toml:2 [language] by_country.UK is no country's code. Write GB"),
        ('[[rule]]\nwhen = { country = ["NZ", "XX"] }\nthen = { tone = "a" }',
         "hint policy.toml:2 [[rule]] (1) when.country 'XX' is no country's code. Remove it"),
        ('[invoice_overdue]\ndays = ["mon"]', "[[invoice_overdue.stage]] (1) days may find no open day"),
        ('[invoice_overdue]\nlate_days = 1', "[[invoice_overdue.stage]] (2) is left out where its"),
        ("[invoice_overdue]\nminimum = { NZT = 10 }",
         "hint policy.toml:2 [invoice_overdue] minimum.NZT is no currency. Did you mean NZD?"),
        ('[[rule]]\nwhen = { kind = "invoice_issued" }\nthen = { tone = "a" }\n'
         '[[rule]]\nwhen = { kind = "invoice_issued", country = "NZ" }\nthen = { tone = "b" }',
         "mend policy.toml:4 [[rule]] (2) is never reached: rule 1 comes first"),
    ],
)  # fmt: skip
def test_a_slip_of_the_policy_is_named_with_its_line(folder: Path, text: str, expected: str) -> None:
    assert [line for line in said(text, folder) if expected in line] != []


@pytest.mark.parametrize(
    "text",
    [
        '[invoice_issued]\ntell = ["customer", "team:sales"]\n[team.sales]\nemails = ["sales@kauri.example"]',
        '[payment_received]\ntell = ["team:sales"]\n[team.sales]\nphones = ["+64211234567"]\nhears = []',
        '[team.sales]\nemails = ["sales@kauri.example"]\nhears = ["not_told"]',
        '[team.sales]\nphones = ["+64211234567"]',
    ],
)
def test_a_team_that_hears_of_something_is_left_alone(folder: Path, text: str) -> None:
    assert [line for line in said(text, folder) if "sales" in line and "policy.toml" in line] == []


@pytest.fixture
def books(sqlite_ledger: Engine) -> Engine:
    """One organisation in New Zealand with a customer in a group, and two invoices."""
    open_tenant(sqlite_ledger, short_code="!mBdtL")
    keep_contact(sqlite_ledger, FirstName="Ana", ContactGroups=[{"Name": "Key accounts"}])
    tracked = [{"Tracking": [{"Name": "Region", "Option": "North"}]}]
    keep_invoice(sqlite_ledger, invoice_body(numbered(1), LineItems=tracked))
    keep_invoice(sqlite_ledger, invoice_body(numbered(2), Reference="PO 7 \u0101"))
    return sqlite_ledger


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[[rule]]\nwhen = { currency = "GBP" }\nthen = { tone = "a" }',
         "hint policy.toml:1 [[rule]] (1) matches nothing in the books"),
        ('[[rule]]\nwhen = { reference = "PO*" }\nthen = { tone = "a" }\n'
         '[[rule]]\nwhen = { reference = "*7*" }\nthen = { tone = "b" }',
         "hint policy.toml:4 [[rule]] (2) decides nothing in the books"),
        ('[invoice_overdue]\nnever_groups = ["Key account"]',
         "hint policy.toml:2 [invoice_overdue] never_groups, item 1, is a contact group that no contact in "
         "the books has. Did you mean Key accounts?"),
        ('[preferences]\nno_messages_groups = ["Key account"]',
         "mend policy.toml:2 [preferences] no_messages_groups, item 1, is a contact group that no contact in "
         "the books has. Did you mean Key accounts?"),
        ('[preferences]\nno_messages_groups = ["Wants none"]',
         "hint policy.toml:2 [preferences] no_messages_groups, item 1, is a contact group that no contact in "
         "the books has. It spares nobody"),
        ('[invoice_overdue]\nnever_groups = ["Key accounts"]\n'
         '[preferences]\nno_messages_groups = ["Key account"]',
         "hint policy.toml:4 [preferences] no_messages_groups, item 1, is a contact group that no contact in "
         "the books has. It spares nobody"),
        ('[[rule]]\nwhen = { contact_group = "Key" }\nthen = { tone = "a" }',
         "'Key' is a contact group that no"),
        ('[[rule]]\nwhen = { tracking = { category = "Region", option = "Nort" } }\nthen = { tone = "a" }',
         "Did you mean region / north?"),
        ('[[rule]]\nwhen = { country = "UK" }\nthen = { tone = "a" }',
         "'UK' is no country's code. Write GB"),
        ('[tenant."bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee".invoice_issued]\noldest_days = 3',
         "is no organisation that is connected"),
    ],
)  # fmt: skip
def test_names_are_held_against_the_books(folder: Path, books: Engine, text: str, expected: str) -> None:
    found = said(text, folder, books)
    assert [line for line in found if expected in line] != [], found


def test_what_is_for_all_is_held_against_everybody_s_books(folder: Path, books: Engine) -> None:
    """Another organisation, which has lines of its own, has neither the group nor the tracking."""
    open_tenant(books, OTHER_TENANT)
    contact = json.dumps({"ContactID": CONTACT, "Name": "Pies", "ContactStatus": "ACTIVE"})
    invoice = invoice_body(numbered(3))
    snapshots.save_contacts(books, OTHER_TENANT, [(parse_contact_body(contact), contact)], read_at=NOW)
    snapshots.save_invoices(books, OTHER_TENANT, [(parse_invoice_body(invoice), invoice)], read_at=NOW)
    common = (
        '[preferences]\nno_messages_groups = ["Key accounts"]\n[[rule]]\nthen = { tone = "a" }\n'
        'when = { contact_group = "Key accounts", tracking = { category = "Region", option = "North" } }\n'
    )
    own = f'[tenant."{OTHER_TENANT}"'
    found = said(f"{common}{own}.limits]\nreminders_a_week = 2\n", folder, books)
    assert [line for line in found if "in the books" in line] == []
    found = said(f'{common}{own}.preferences]\nno_messages_groups = ["Key account"]\n', folder, books)
    assert [line[:19] for line in found if "in the books" in line] == ["hint policy.toml:7 "]


def test_what_makes_an_sms_longer_is_named_by_its_character_and_field(folder: Path, books: Engine) -> None:
    more = "{% if invoice.reference %} Reference {{ invoice.reference }}, as you asked us to say.{% endif %}"
    line = edit(folder / "invoice_issued/en/sms.txt", " Thank you.", more)
    [found] = [one for one in said("", folder, books) if "invoice_issued/en/sms.txt" in one]
    assert found == (
        f"hint invoice_issued/en/sms.txt:{line} 2 of 4 messages take 2 SMS instead of 1, such as of INV-0002:"
        " the character U+0101 (latin small letter a with macron) leaves room for 70 instead of 160 in "
        "invoice.reference"
    )


def test_every_message_of_the_books_is_made(folder: Path, books: Engine) -> None:
    found = checked("", folder, books)
    assert found.invoices == 2
    assert found.messages > checked("", folder).messages


def test_what_a_team_would_hear_of_the_books_is_made_too(folder: Path, books: Engine) -> None:
    def made(hears: str) -> int:
        text = f"[team.accounts]\nhears = [{hears}]"
        return checked(text, folder, books).messages - checked(text, folder).messages

    by_sms_and_by_email = 2
    assert made('"not_told"') >= made("") + 2 * by_sms_and_by_email


def run(folder: Path, engine: Engine | None, *words: str) -> Result:
    url = engine.url.render_as_string(hide_password=False) if engine else f"sqlite:///{folder}/none.db"
    environment = environment_of(folder / "home", url, "http://127.0.0.1:9") | {"COLUMNS": "200"}
    return CliRunner().invoke(app, ["policy", "check", *words], env=environment)


def test_the_command_ends_with_what_it_found(folder: Path, books: Engine) -> None:
    good, bad = folder / "good.toml", folder / "bad.toml"
    good.write_text('[invoice_issued]\nopens = "07:00"\n')
    done = run(folder, books, str(good))
    assert (done.exit_code, done.output.splitlines()[-1][:16]) == (0, "0 to mend, 4 hin"), done.output
    bad.write_text("[invoice_issued]\nopens = 7\n")
    done = run(folder, books, str(bad))
    assert done.exit_code == 1
    assert "bad.toml line 2: [invoice_issued] opens must be a time" in done.output
    assert run(folder, books, str(folder / "nowhere.toml")).exit_code == 2


def test_without_a_ledger_it_checks_what_it_can_and_makes_none(folder: Path) -> None:
    done = run(folder, None)
    assert done.exit_code == 0, done.output
    assert "no ledger yet" in done.output
    assert not (folder / "none.db").exists()
