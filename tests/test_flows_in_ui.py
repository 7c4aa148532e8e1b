"""What a person sees in Prefect's UI before they press Run, and how runs are told apart."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow
from prefect.exceptions import ParameterTypeError
from typer.testing import CliRunner

from deployments.cli import app
from duebell.resending_which import RESENDABLE
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
