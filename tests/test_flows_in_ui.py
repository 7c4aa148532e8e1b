"""What a person sees in Prefect's UI before they press Run, and how runs are told apart."""

import importlib
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from prefect import Flow
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.exceptions import ParameterTypeError
from typer.testing import CliRunner

from deployments.cli import app
from duebell.ledger import pruning
from duebell.sending.resending_which import RESENDABLE
from duebell.showing.run_names import of_drain
from flows.resend import resend

ROOT = Path(__file__).resolve().parents[1]
NAMES = sorted(path.stem for path in (ROOT / "flows").glob("*.py") if path.stem != "__init__")


def flow(name: str) -> Flow[..., Any]:
    return getattr(importlib.import_module(f"flows.{name}"), name)


@pytest.mark.parametrize("name", NAMES)
def test_who_has_to_name_an_organisation_is_told_where_its_id_is_shown(name: str) -> None:
    for parameter, shape in flow(name).parameters.properties.items():
        if parameter in {"tenant_id", "tenant_ids"}:
            assert "`duebell doctor`" in " ".join(shape["description"].split())


def test_a_kind_that_can_be_said_again_is_chosen_from_a_list_and_no_other_is_offered() -> None:
    kind = flow("resend").parameters.properties["kind"]
    assert kind["enum"] == list(RESENDABLE)
    assert "needs_attention" not in kind["enum"]
    assert kind["default"] in RESENDABLE
    help_of_the_command = CliRunner().invoke(app, ["resend", "--help"], env={"COLUMNS": "200"}).output
    assert "needs_attention" not in help_of_the_command
    assert all(one in help_of_the_command for one in RESENDABLE)


@pytest.mark.parametrize("given", ["ana@rimu.example", "Ana", "+64211234567", "0123456789abcde"])
def test_a_person_cannot_be_named_to_prefect_by_an_address_or_a_name(given: str) -> None:
    with pytest.raises(ParameterTypeError):
        resend.validate_parameters({"invoice": "INV-1", "why": "lost", "by": "AB", "to": given})
    pattern = flow("resend").parameters.properties["to"]["anyOf"][0]["pattern"]
    assert not re.search(pattern, given), "Prefect's server refuses it before it keeps it"


def test_a_person_is_named_to_prefect_by_the_end_of_the_key() -> None:
    asked = {"invoice": "INV-1", "why": "lost", "by": "AB", "to": "0123456789abcdef"}
    assert resend.validate_parameters(asked)["to"] == "0123456789abcdef"


@pytest.mark.parametrize("parameter", ["by", "why"])
def test_who_asks_for_a_re_send_is_warned_that_prefect_keeps_it(parameter: str) -> None:
    assert "Prefect keeps it" in " ".join(
        flow("resend").parameters.properties[parameter]["description"].split()
    )


TENANT = "5a4db0c5-0000-4000-8000-000000000002"
AT = datetime(2026, 11, 20, 14, 5, tzinfo=timezone(timedelta(hours=13)))
SCHEDULED = ("housekeeping", "mirror_preferences", "overdue_sweep", "poll_xero", "settle")


def name_of(flow_name: str, parameters: dict[str, Any]) -> str:
    """What Prefect calls a run as it starts."""
    one = flow(flow_name)
    run = FlowRun.model_validate({"flow_id": uuid4(), "expected_start_time": AT, "parameters": parameters})
    with FlowRunContext.model_construct(flow=one, flow_run=run, parameters=parameters):
        wanted = one.flow_run_name
        return wanted.format(**parameters) if isinstance(wanted, str) else wanted() if wanted else ""


@pytest.mark.parametrize("name", SCHEDULED)
def test_a_run_of_a_schedule_is_told_apart_by_its_time(name: str) -> None:
    asked = dict.fromkeys(flow(name).parameters.properties)
    assert name_of(name, asked) == f"{name.replace('_', '-')} 2026-11-20 01:05 UTC"


@pytest.mark.parametrize(
    ("name", "parameters", "called"),
    [
        ("poll_xero", {"tenant_ids": [TENANT]}, "poll-xero 5a4db0c5"),
        ("overdue_sweep", {"tenant_ids": [TENANT, "b"]}, "overdue-sweep 5a4db0c5 and 1 more"),
        ("settle", {"attempt_ids": [TENANT, "b", "c"]}, "settle 5a4db0c5 and 2 more"),
        ("process_xero_events", {"tenant_id": TENANT}, "drain 5a4db0c5"),
        ("webhooks_look_broken", {"tenant_id": TENANT}, "webhooks look broken 5a4db0c5"),
        ("replay", {"tenant_id": TENANT, "invoices": ["INV-1\n", "INV-2"]}, "replay INV-1 and 1 more"),
        ("replay", {"tenant_id": TENANT, "since": AT}, "replay 5a4db0c5 since 2026-11-20 14:05"),
        ("replay", {"tenant_id": TENANT}, "replay 5a4db0c5"),
    ],
)
def test_a_run_that_is_about_something_is_told_apart_by_it(
    name: str, parameters: dict[str, Any], called: str
) -> None:
    assert name_of(name, parameters) == called
    if name == "process_xero_events":
        assert of_drain(TENANT) == called, "as it is made, too"


DEPLOYED = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
SENDS = (
    "Sends nothing",
    "Sends no messages",
    "Writes to no customer",
    "nobody is told twice",
    "is not told again",
)


@pytest.mark.parametrize("deployment", DEPLOYED, ids=lambda one: one["name"])
def test_a_description_says_whether_a_run_sends_and_that_it_is_safe(deployment: dict[str, Any]) -> None:
    said = deployment["description"]
    if deployment["name"] == "resend":
        assert "retrying a run sends nothing more" in said
    else:
        assert any(one in said for one in SENDS)
        assert "afe to run at any time" in said
    assert "tenant" not in said.casefold()


def test_what_a_run_deletes_or_takes_back_is_said_before_it_is_started() -> None:
    said = {one["name"]: one["description"] for one in DEPLOYED}
    assert "deletes history after 13 months" in said["housekeeping"]
    assert timedelta(days=13 * 30) <= pruning.KEPT_FOR
    assert "takes back messages that Twilio holds" in said["settle"]
    assert "delivery reports" in said["settle"]
    assert "`outstanding`" in said["settle"]
