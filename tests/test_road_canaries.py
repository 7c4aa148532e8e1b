"""Canaries: what is personal or secret stands in the ledger, and nowhere that Prefect or a log keeps."""

from collections.abc import Iterator
from pathlib import Path

from deployments.sandbox import credentials
from duebell import tokens
from duebell.ledger import tenants
from duebell.vault import Vault, load_or_create_keys
from tests.support_prefect import wait_until
from tests.support_road import Road

NAME = "Canaria Quillfeather"
FORGED = "\r\nERROR a forged line\x1b[2J"
MOBILE, NATIONAL = "+61491570110", "491570110"
MESSAGES = "/2010-04-01/Accounts/*/Messages.json"


def _secrets(road: Road) -> list[str]:
    vault = Vault(load_or_create_keys(road.settings))
    tenant = tenants.get(road.engine, credentials.TENANT_ID)
    kept = tokens.read(road.engine, vault, tenant.token_set_id)
    return [
        kept.access.get_secret_value(),
        credentials.XERO_CLIENT_SECRET,
        credentials.XERO_WEBHOOK_KEY,
        credentials.TWILIO_AUTH_TOKEN,
        *(key.get_secret_value() for key in load_or_create_keys(road.settings)),
    ]


def _kept_outside_the_ledger(road: Road) -> Iterator[tuple[Path, bytes]]:
    server_home = road.prefect.server.home
    for folder in (server_home, road.home / "logs"):
        for path in folder.rglob("*"):
            if path.is_file() and path.parent.name != "memo":
                yield path, path.read_bytes()


def test_f114_f115_no_token_phone_name_or_amount_is_found_outside_the_ledger_after_failures(
    calm: Road,
) -> None:
    contact = calm.sandbox.add_contact(NAME + FORGED)
    calm.sandbox.set_phone(contact.contact_id, MOBILE)
    told = calm.sandbox.add_invoice(contact.contact_id, "98765.00")
    calm.wait_for(told.invoice_id, "delivered")
    total = str(calm.messages(told)[0].body.split(" for ")[1].split(" is due")[0])
    calm.sandbox.fail_next("html", method="GET", path="/api.xro/2.0/Invoices/*")
    quoting = f'{{"code": 21211, "status": 400, "message": "The number {MOBILE} of {NAME} is wrong"}}'
    calm.sandbox.fail_next("status", method="POST", path=MESSAGES, status=400, body=quoting)
    refused = calm.sandbox.add_invoice(contact.contact_id, "98765.00")
    calm.wait_for(refused.invoice_id, "given_up")
    run = calm.prefect.wait_for(calm.run_of(refused).id)
    wait_until(lambda: calm.prefect.read_run(run.id).state is not None, "the run has ended")
    calm.restart("worker")

    canaries = [
        NAME,
        NAME.split()[1],
        FORGED.split("\x1b")[0].strip(),
        MOBILE,
        NATIONAL,
        total,
        total.strip("$"),
        *_secrets(calm),
    ]
    found = [
        (path.name, canary[:4])
        for path, content in _kept_outside_the_ledger(calm)
        for canary in canaries
        if canary.encode() in content
    ]

    assert found == []


def test_the_canaries_would_be_seen_where_they_are_allowed_to_stand(calm: Road) -> None:
    contact = calm.sandbox.add_contact(f"{NAME} Again")
    calm.sandbox.set_phone(contact.contact_id, "+61491570313")
    invoice = calm.sandbox.add_invoice(contact.contact_id, "98765.00")
    calm.wait_for(invoice.invoice_id, "delivered")

    ledger = b"".join(path.read_bytes() for path in calm.home.glob("duebell.db*"))

    assert f"{NAME} Again".encode() in ledger
    assert b"+61491570313" in ledger
    assert all(secret.encode() not in ledger for secret in _secrets(calm))
