"""Telling one person: what can fail fails before the attempt stands, and what was found is told as it is."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import select

from duebell.books.read_in_time import FRESH
from duebell.errors import ConfigurationError, Transient
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import dispatch, tenants
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.notifications import Claim
from duebell.ledger.tables import Attempt, Leg
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.sending.giving_back import Said, hold_cancelled
from duebell.sending.telling import ReadAgain, render, tell
from duebell.states import NotificationState
from tests.support_facts import (
    ACCOUNT,
    CONTACT,
    INVOICE,
    MINUTE,
    MOBILE,
    NOW,
    RULES,
    TENANT,
    Answering,
    Hand,
    begin,
    claim,
    counted,
    invoice_body,
    keep_contact,
    keep_invoice,
    nobody_answers,
    open_tenant,
    resources_over,
    sid,
)

S = NotificationState
POSTED: dict[str, Any] = {"sid": sid(), "account_sid": ACCOUNT, "status": "queued", "to": MOBILE}


def accepts(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(201, json=POSTED)


@pytest.fixture
def claimed(sqlite_ledger: Engine) -> Claim:
    """A claimed message about an invoice that was read just now."""
    open_tenant(sqlite_ledger)
    keep_invoice(sqlite_ledger)
    keep_contact(sqlite_ledger)
    with writing(sqlite_ledger, NOW) as book:
        [row] = plan_kind(book, TENANT, INVOICE_ISSUED, [INVOICE], RULES, actor="test", flow_run_id=None)
    taken = claim(sqlite_ledger, row.notification_id or 0)
    assert taken
    return taken


def no_need(_tenant: str, _invoices: Sequence[str], _since: datetime) -> None:
    raise AssertionError("the invoice was read a moment ago")


def told(
    engine: Engine,
    claimed: Claim,
    twilio: Answering = nobody_answers,
    read_again: ReadAgain = no_need,
    *,
    after: timedelta = timedelta(0),
    variables: dict[str, Any] | None = None,
) -> Said:
    resources = resources_over(engine, Hand(NOW + after), twilio=twilio, **(variables or {}))
    return tell(resources, claimed, read_again, flow_run_id="run 1")


def test_a_message_is_posted_once_and_its_answer_kept(sqlite_ledger: Engine, claimed: Claim) -> None:
    posts: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        posts.append(request.content)
        return accepts(request)

    assert told(sqlite_ledger, claimed, answer) == Said(claimed.notification_id, "accepted")
    assert told(sqlite_ledger, claimed, answer).state == "accepted"
    assert len(posts) == 1
    assert broken(sqlite_ledger) == []


@pytest.mark.parametrize(
    "variables",
    [{"TWILIO_FROM": ""}, {"TWILIO_AUTH_TOKEN": ""}, {"DUEBELL_POLICY": "nowhere.toml"}],
    ids=["no sender", "no credentials", "no policy"],
)
def test_a_mistake_of_the_setup_stops_before_the_attempt_and_keeps_the_message(
    sqlite_ledger: Engine, claimed: Claim, variables: dict[str, str], tmp_path: Path
) -> None:
    variables = {name: value and str(tmp_path / value) for name, value in variables.items()}
    with pytest.raises(ConfigurationError):
        told(sqlite_ledger, claimed, variables=variables)
    assert counted(sqlite_ledger, Attempt) == 0
    assert told(sqlite_ledger, claimed, accepts).state == "accepted"


def test_f052_an_old_read_is_made_anew_before_anything_is_said(sqlite_ledger: Engine, claimed: Claim) -> None:
    late = FRESH + timedelta(seconds=1)

    def voided(_tenant: str, invoice_ids: Sequence[str], since: datetime) -> None:
        [invoice_id] = invoice_ids
        body = invoice_body(invoice_id, Status="VOIDED", updated_at=NOW + MINUTE)
        assert since == NOW + late - FRESH
        keep_invoice(sqlite_ledger, body, read_at=NOW + late)

    said = told(sqlite_ledger, claimed, read_again=voided, after=late)
    assert said == Said(claimed.notification_id, "skipped", "no_longer_valid")
    assert counted(sqlite_ledger, Attempt) == 0
    assert broken(sqlite_ledger) == []


def test_a_read_that_fails_leaves_the_claim_as_it_was(sqlite_ledger: Engine, claimed: Claim) -> None:
    def away(_tenant: str, _invoices: Sequence[str], _since: datetime) -> None:
        raise Transient("503")

    with pytest.raises(Transient):
        told(sqlite_ledger, claimed, read_again=away, after=FRESH + timedelta(seconds=1))
    assert told(sqlite_ledger, claimed, accepts).state == "accepted"


def reads_nothing(_tenant: str, _invoices: Sequence[str], _since: datetime) -> None:
    return None


def test_a_read_that_stays_old_says_nothing_and_waits(sqlite_ledger: Engine, claimed: Claim) -> None:
    said = told(sqlite_ledger, claimed, read_again=reads_nothing, after=FRESH + timedelta(seconds=1))
    assert said == Said(claimed.notification_id, "planned", "read_too_old")
    assert broken(sqlite_ledger) == []


def test_f054_a_number_that_changed_meanwhile_is_the_one_that_is_written_to(
    sqlite_ledger: Engine, claimed: Claim
) -> None:
    keep_contact(sqlite_ledger, CONTACT, "+64219876543", read_at=NOW + MINUTE)
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.content.decode())
        return accepts(request)

    told(sqlite_ledger, claimed, answer)
    assert "To=%2B64219876543" in asked[0]


@pytest.mark.parametrize("scope", ["all", TENANT])
def test_behind_the_brake_a_message_waits_and_goes_on_once_that_is_taken_off(
    sqlite_ledger: Engine, claimed: Claim, scope: str
) -> None:
    tenants.set_brake(sqlite_ledger, stopped=True, by="test", why="", scope=scope, now=NOW)
    said = told(sqlite_ledger, claimed)
    assert said == Said(claimed.notification_id, "planned", "stopped_or_overtaken")
    assert dispatch.due(sqlite_ledger, now=NOW) == ()
    tenants.set_brake(sqlite_ledger, stopped=False, by="test", why="", scope=scope, now=NOW)
    assert len(dispatch.due(sqlite_ledger, now=NOW)) == 1
    assert broken(sqlite_ledger) == []


@pytest.mark.parametrize("act", ["tell", "cancel"])
def test_a_lost_claim_changes_nothing_and_says_how_the_message_stands(
    sqlite_ledger: Engine, claimed: Claim, act: str
) -> None:
    rival = claim(sqlite_ledger, claimed.notification_id)
    assert rival
    assert begin(sqlite_ledger, rival)
    if act == "tell":
        said = told(sqlite_ledger, claimed)
    else:
        said = hold_cancelled(resources_over(sqlite_ledger), claimed)
    assert said.state == "sending"
    assert broken(sqlite_ledger) == []


def text_of(engine: Engine) -> str:
    """What the leg of the one message says."""
    with reading(engine) as session:
        return session.exec(select(Leg.text)).one()


def test_a_run_whose_claim_another_has_taken_over_leaves_the_text_as_it_is(
    sqlite_ledger: Engine, claimed: Claim
) -> None:
    assert render(resources_over(sqlite_ledger), claimed) is None
    before = text_of(sqlite_ledger)
    assert claim(sqlite_ledger, claimed.notification_id)
    keep_invoice(sqlite_ledger, invoice_body(Total=230, AmountDue=230))
    assert render(resources_over(sqlite_ledger), claimed) is None
    assert text_of(sqlite_ledger) == before != ""


def test_a_claim_that_never_was_posts_nothing(sqlite_ledger: Engine, claimed: Claim) -> None:
    assert told(sqlite_ledger, replace(claimed, lease_token=99)).state == "claimed"
    assert counted(sqlite_ledger, Attempt) == 0
