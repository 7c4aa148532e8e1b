"""What is made at Prefect under a name is used under that name: a limit that is missing lets nothing pass."""

import ast
from pathlib import Path

import yaml

from duebell import prefect_names

ROOT = Path(__file__).resolve().parents[1]
LIMITS = ("xero-rate-", "xero-flight-", prefect_names.CONSENT_LIMIT)


def test_a_limit_s_name_is_written_in_one_place() -> None:
    written: set[str] = set()
    for top in ("flows", "tasks", "duebell", "deployments"):
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and str(node.value).startswith(LIMITS):
                    written.add(path.relative_to(ROOT).as_posix())
    assert written == {"duebell/prefect_names.py"}


def test_every_deployment_waits_in_the_pool_that_is_made_and_that_the_worker_looks_at() -> None:
    told = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    pools = {one["work_pool"]["name"] for one in told["deployments"]}
    assert pools == {prefect_names.WORK_POOL}
