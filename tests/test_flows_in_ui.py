"""What a person sees in Prefect's UI before they press Run, and how runs are told apart."""

import importlib
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow

ROOT = Path(__file__).resolve().parents[1]
NAMES = sorted(path.stem for path in (ROOT / "flows").glob("*.py") if path.stem != "__init__")


def flow(name: str) -> Flow[..., Any]:
    return getattr(importlib.import_module(f"flows.{name}"), name)


@pytest.mark.parametrize("name", NAMES)
def test_who_has_to_name_an_organisation_is_told_where_its_id_is_shown(name: str) -> None:
    for parameter, shape in flow(name).parameters.properties.items():
        if parameter in {"tenant_id", "tenant_ids"}:
            assert "`duebell doctor`" in " ".join(shape["description"].split())
