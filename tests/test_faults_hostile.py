"""Faults of hostile text, by their numbers: what somebody typed is never a command, a path or a line."""

import ast
import io
import json
import logging
import re

import httpx
import pytest
from sqlalchemy import Engine, func, select

from deployments.children import ROOT
from deployments.receiver.app import make_app
from deployments.receiver.log_lines import one_line_each
from duebell.errors import Permanent
from duebell.ledger import preferences, trail
from duebell.ledger.engine import reading
from duebell.ledger.receipts import NewReceipt, keep_receipt
from duebell.ledger.tables import ContactSnapshot, InvoiceSnapshot, Receipt, SQLModel
from duebell.ledger.writing import writing
from duebell.model import CreditKind
from duebell.planning.replaying import find
from duebell.showing import explaining
from tasks._prefect import run_name, tags_of
from tests.support_facts import (
    NOW,
    TENANT,
    counted,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    resources_over,
)
from tests.support_receiver import (
    connect_tenant,
    deliver,
    delivery,
    events_in,
    parts,
    rejected_in,
    xero_event,
)
from tests.test_xero_client import Xero, envelope

STATEMENTS = [
    "'; DROP TABLE notification; --",
    '" OR "1"="1',
    "x' OR '1'='1",
    "%",
    "_NV-0001",
    "INV-0001'/**/UNION/**/SELECT/**/sealed/**/FROM/**/token_set--",
    "\\'; DELETE FROM audit; --",
    "$1; :id; ?; %(id)s; {0}",
]


def rows(engine: Engine) -> dict[str, int]:
    """How many rows every table has: fewer tables, or other rows, would show a statement at work."""
    with engine.connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in SQLModel.metadata.sorted_tables
        }


def test_f119_what_was_typed_into_xero_is_kept_and_found_as_it_stands(ledger: Engine) -> None:
    open_tenant(ledger)
    for number, text in enumerate(STATEMENTS, start=1):
        keep_contact(ledger, numbered(100 + number), Name=text)
        keep_invoice(ledger, invoice_body(numbered(number), InvoiceNumber=text, Reference=text))
        keep_receipt(ledger, NewReceipt(f"SM {text}", text, None, text, "{}"), now=NOW)
        with writing(ledger, NOW) as book:
            preferences.refuse_address(book, text, "sms", preferences.OPTED_OUT, text)
    before = rows(ledger)
    for number, text in enumerate(STATEMENTS, start=1):
        with reading(ledger) as session:
            assert find(session, TENANT, [text], None, None) == [numbered(number)]
            assert set(preferences.refusals(session, [text])) == {text}
            assert session.get_one(InvoiceSnapshot, (TENANT, numbered(number))).number == text
            kept = session.get_one(ContactSnapshot, (TENANT, numbered(100 + number)))
            assert json.loads(kept.body)["Name"] == text
        assert text in explaining.explain(resources_over(ledger), text).heading
        entries = trail.entries(ledger, f"SM {text}", 100)
        assert entries
        assert all(text in one.subject for one in entries)
    assert rows(ledger) == before
    assert counted(ledger, Receipt) == len(STATEMENTS)


def test_f119_a_name_that_is_a_statement_finds_nothing(ledger: Engine) -> None:
    open_tenant(ledger)
    keep_invoice(ledger)
    for text in STATEMENTS:
        with reading(ledger) as session, pytest.raises(Permanent, match="no invoice"):
            find(session, TENANT, [text], None, None)


def test_f119_no_statement_is_put_together_of_texts() -> None:
    """SQLAlchemy binds what it is given; a text of our own would have to be built by hand."""
    built: list[str] = []
    for top in ("flows", "tasks", "duebell", "deployments"):
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in TAKES_SQL:
                    built += [f"{path.name}: {ast.unparse(one)}" for one in node.args[:1] if is_built(one)]
    assert built == []


TAKES_SQL = {"text", "exec_driver_sql", "literal_column", "executescript"}


def is_built(node: ast.expr) -> bool:
    """Whether a text is put together of others while the program runs."""
    return isinstance(node, ast.JoinedStr | ast.BinOp) or (
        isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".format", ".join"))
    )


WHERE = re.compile(r'Status=="AUTHORISED"|(Status=="AUTHORISED" AND )?Type=="[A-Z-]+"')


def test_f119_a_filter_for_xero_is_made_of_its_own_words_alone() -> None:
    xero = Xero(envelope(Invoices=[], CreditNotes=[], Prepayments=[], Overpayments=[]))
    client = xero.client()
    client.invoice_page(1, statuses=["AUTHORISED"], sales_only=True)
    for kind in CreditKind:
        client.credit_page(kind, 1)
    wheres = [request.url.params["where"] for request in xero.asked]
    assert len(wheres) == 1 + len(CreditKind)
    assert all(WHERE.fullmatch(where) for where in wheres)
    for hostile in ('PAID"', "PAID&where=true", "PAID OR 1==1", "PAID\r\nHost: x", ""):
        with pytest.raises(Permanent, match="status"):
            client.invoice_page(1, statuses=[hostile])
    assert len(xero.asked) == len(wheres)


NO_IDS = [
    "../Contacts",
    "a" * 10_000,
    "11111111-2222-4333-8444-555555555555/../Contacts",
    "11111111-2222-4333-8444-55555555555\uff15",
    "11111111-2222-4333-8444-555555555555?where=true",
    "11111111-2222-4333-8444-555555555555%2f..",
    "{11111111-2222-4333-8444-555555555555}",
    "1",
]


@pytest.mark.parametrize("resource_id", NO_IDS, ids=range(len(NO_IDS)))
def test_f120_an_event_about_what_is_no_id_is_rejected_and_no_path_is_made_of_it(
    ledger: Engine, resource_id: str
) -> None:
    connect_tenant(ledger)
    raw = delivery(xero_event(resourceId=resource_id), xero_event())
    assert deliver(make_app(parts(ledger)), raw) == 200
    assert [row.reason for row in rejected_in(ledger)] == ["event 0: resourceId is not a UUID"]
    assert len(events_in(ledger)) == 1
    xero = Xero(lambda request: httpx.Response(500))
    for ask in (xero.client().invoice, xero.client().online_link):
        with pytest.raises(Permanent):
            ask(resource_id)
    for ask_all in (xero.client().invoices, xero.client().contacts):
        with pytest.raises(Permanent):
            ask_all([resource_id])
    assert xero.asked == []


FORGED = "INV-7\r\n2026-11-20 01:16:00,000 ERROR duebell: all is well\x1b[2J\x00\u2028\u202e\x85"


def test_f115_a_number_breaks_no_line_where_prefect_names_and_logs_a_run() -> None:
    texts = [run_name("invoice-issued", [FORGED, "INV-8"]), *tags_of(TENANT, [FORGED])]
    assert all(text.isprintable() for text in texts)
    assert texts[0].startswith("invoice-issued INV-7 2026")
    assert run_name("resend", ["INV-0042"]) == "resend INV-0042"
    assert tags_of(TENANT, ["INV.NZ.1"]) == [f"tenant:{TENANT}", "invoice:INV.NZ.1"]


def test_f115_a_line_of_the_receiver_s_log_is_one_record_whatever_is_in_it() -> None:
    stream = io.StringIO()
    handler = one_line_each(stream)
    usual = {"name": "duebell.receiver", "levelno": logging.WARNING, "levelname": "WARNING"}
    handler.handle(logging.makeLogRecord(usual | {"msg": "refused: %s", "args": (FORGED,)}))
    failure = (ValueError, ValueError(FORGED), None)
    handler.handle(logging.makeLogRecord(usual | {"msg": "failed", "exc_info": failure}))
    lines = stream.getvalue().split("\n")
    assert [line.split(" ")[2:4] for line in lines[:-1]] == [
        ["WARNING", "duebell.receiver:"],
        ["WARNING", "duebell.receiver:"],
    ]
    assert lines[-1] == ""
    assert all(line.isprintable() for line in lines)
    assert r"INV-7\r\n2026" in lines[0]
    assert "ValueError" in lines[1]


PINNED = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z0-9, -]+\])?==([0-9][^ ;\\]*)", re.MULTILINE)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_f118_everything_is_pinned_by_its_hash_and_nothing_that_is_known_to_leak(name: str) -> None:
    lock = (ROOT / name).read_text(encoding="utf-8")
    wanted = [block for block in re.split(r"\n(?=\S)", lock) if block and not block.startswith("#")]
    assert len(wanted) > 50
    assert [block.split("\n")[0] for block in wanted if "--hash=sha256:" not in block] == []
    pinned = {found[1]: numbers(found[2]) for found in PINNED.finditer(lock)}
    assert len(pinned) == len(wanted)
    assert {package: pinned[package] for package, fixed in FIXED.items() if pinned[package] < fixed} == {}


FIXED = {
    "jinja2": (3, 1, 6),  # CVE-2025-27516: the sandbox can be left
    "h11": (0, 16),  # CVE-2025-43859: lenient chunked bodies, request smuggling
    "starlette": (0, 49, 1),  # CVE-2025-62727: a Range header that takes quadratic time
    "cryptography": (44, 0, 1),  # CVE-2024-12797: raw public keys in the bundled OpenSSL
    "urllib3": (2, 5, 0),  # CVE-2025-50181: redirects that were switched off are followed
    "requests": (2, 32, 4),  # CVE-2024-47081: credentials of .netrc go to another host
    "aiohttp": (3, 12, 14),  # CVE-2025-53643: request smuggling
    "orjson": (3, 9, 15),  # CVE-2024-27454: recursion without a bound
}


def numbers(version: str) -> tuple[int, ...]:
    """A version as numbers that compare."""
    return tuple(int(part) for part in re.findall(r"\d+", version))
