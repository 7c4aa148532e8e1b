"""The layout's rules, held as tests: who may import whom, how large a piece may grow, what stays out."""

import ast
import importlib
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from prefect import Flow, Task

from duebell import errors
from duebell.errors import ConfigurationError, DuebellError

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("flows", "tasks", "duebell", "deployments")
FILE_LINES, TEST_FILE_LINES = 250, 400
FUNCTION_LINES, FLOW_LINES = 30, 40

MIGRATIONS = "duebell/ledger/migrations/versions"
LONG_FILES = {
    "duebell/ledger/tables.py": "every table in one place, beside those that it refers to",
    f"{MIGRATIONS}/0001_the_first_tables.py": "a migration lists what it makes",
}
LONG_FUNCTIONS = {
    f"{MIGRATIONS}/0001_the_first_tables.py:upgrade": "a migration lists what it makes",
    f"{MIGRATIONS}/0002_connections_and_payments.py:upgrade": "a migration lists what it makes",
}
CLOCKS = {
    "duebell/clock.py": "the one clock that is passed in",
    "deployments/demo_story.py": "it tells a person at a terminal how long something took",
    "deployments/worker_warm.py": "Prefect's own times of runs, on Prefect's server's clock",
}
TELLS_TIME = {
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"),
    ("time", "time"), ("time", "time_ns"),
}  # fmt: skip
OF_A_MACHINE = re.compile(r"(?<![\w.{}-])/(?:work|root|home|Users|tmp|mnt)/\w")


@dataclass(frozen=True, slots=True)
class Module:
    """A file of ours, read."""

    path: Path
    name: str
    text: str
    tree: ast.Module

    @property
    def top(self) -> str:
        """The folder at the root that it stands in."""
        return self.name.split("/", 1)[0]

    def imports(self) -> set[str]:
        """The full names of what it imports."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name} imports relatively"
                found.add(node.module or "")
        return found

    def imports_of(self, *packages: str) -> set[str]:
        """What it imports from these packages."""
        return {name for name in self.imports() if name.split(".")[0] in packages}

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method, however deep."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


@cache
def modules(*tops: str) -> tuple[Module, ...]:
    """Our modules below these folders."""
    paths = sorted(path for top in tops for path in (ROOT / top).rglob("*.py"))
    texts = [(path, path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths]
    return tuple(Module(path, name, text, ast.parse(text)) for path, name, text in texts)


def test_the_rules_read_something() -> None:
    for top in (*PACKAGES, "tests", "deployments/sandbox"):
        assert modules(top), top


@pytest.mark.parametrize(
    ("folder", "packages"),
    [
        ("duebell", ("prefect", "flows", "tasks", "deployments")),
        ("tasks", ("flows", "deployments")),
        ("flows", ("flows", "deployments")),
        # It is made from what the providers document; what it shared with us would be wrong on both sides.
        ("deployments/sandbox", ("duebell", "flows", "tasks")),
    ],
)
def test_a_folder_looks_down_only(folder: str, packages: tuple[str, ...]) -> None:
    looks_up = {one.name: one.imports_of(*packages) for one in modules(folder)}
    assert {name: found for name, found in looks_up.items() if found} == {}


@pytest.mark.parametrize("package", ["hours", "policy", "policy_file"])
def test_what_only_decides_reads_no_ledger_and_asks_nobody(package: str) -> None:
    reads = {
        one.name: one.imports_of("sqlalchemy", "sqlmodel", "httpx")
        | {name for name in one.imports() if name.startswith("duebell.ledger")}
        for one in modules(f"duebell/{package}")
    }
    assert {name: found for name, found in reads.items() if found} == {}


def test_every_package_of_duebell_says_what_it_is_for() -> None:
    silent = [one.name for one in modules("duebell") if one.path.stem == "__init__" and not one.text.strip()]
    assert silent == []


def test_nothing_that_runs_imports_the_tests() -> None:
    assert [one.name for one in modules(*PACKAGES) if one.imports_of("tests", "pytest", "hypothesis")] == []


def flow_modules() -> list[Module]:
    return [one for one in modules("flows") if one.path.stem != "__init__"]


@pytest.mark.parametrize("module", flow_modules(), ids=lambda one: one.name)
def test_a_flow_file_tells_one_story_and_bears_its_name(module: Module) -> None:
    assert not [node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef | ast.Try)]
    decorated = [one.name for one in module.functions() if any(map(_is_flow, one.decorator_list))]
    assert decorated == [module.path.stem]
    loaded: Any = importlib.import_module(f"flows.{module.path.stem}")
    flow = cast("Flow[..., Any]", getattr(loaded, module.path.stem))
    assert flow.name == module.path.stem.replace("_", "-")
    assert flow.persist_result is False
    assert not flow.isasync


def _is_flow(decorator: ast.expr) -> bool:
    return _last(decorator.func if isinstance(decorator, ast.Call) else decorator) == "flow"


def task_modules() -> list[str]:
    return [one.path.stem for one in modules("tasks") if not one.path.stem.startswith("_")]


@pytest.mark.parametrize("name", task_modules())
def test_every_public_function_of_a_task_file_is_a_task_that_caches_and_persists_nothing(name: str) -> None:
    loaded = importlib.import_module(f"tasks.{name}")
    [source] = [one for one in modules("tasks") if one.path.stem == name]
    public = [
        node.name
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    ]
    assert public
    tasks: dict[str, object] = {one: getattr(loaded, one) for one in public}
    assert [one for one, task in tasks.items() if not isinstance(task, Task)] == []
    for task in cast("dict[str, Task[..., Any]]", tasks).values():
        assert task.fn.__doc__
        assert not task.persist_result


def test_no_file_of_flows_or_tasks_hides_a_library() -> None:
    # Prefect leaves flows/ first on sys.path: a file there would be imported in place of the library.
    libraries = sys.stdlib_module_names | set(packages_distributions())
    libraries -= {*PACKAGES, "tests"}
    ours = {one.path.stem for one in modules("flows", "tasks")} - {"__init__"}
    assert ours & libraries == set()


def test_the_tests_are_flat() -> None:
    assert [one.name for one in modules("tests") if one.name.count("/") > 1] == []


def test_no_file_has_grown_too_long() -> None:
    sizes = {one.name: one.text.count("\n") for one in modules(*PACKAGES)}
    assert {name: size for name, size in sizes.items() if size > FILE_LINES}.keys() == LONG_FILES.keys()
    tests = {one.name: one.text.count("\n") for one in modules("tests")}
    assert {name: size for name, size in tests.items() if size > TEST_FILE_LINES} == {}


def test_no_function_has_grown_too_long() -> None:
    long: dict[str, int] = {}
    for module in modules(*PACKAGES):
        most = FLOW_LINES if module.top == "flows" else FUNCTION_LINES
        for function in module.functions():
            lines = (function.end_lineno or 0) - function.lineno + 1
            if lines > most:
                long[f"{module.name}:{function.name}"] = lines
    assert {name: size for name, size in long.items() if name not in LONG_FUNCTIONS} == {}


def test_nothing_but_the_clock_tells_the_time() -> None:
    found = {
        f"{module.name}:{line}"
        for module in modules(*PACKAGES)
        if module.name not in CLOCKS and not module.name.startswith("deployments/sandbox/")
        for line in _told_time(module)
    }
    assert found == set()


def _told_time(module: Module) -> Iterator[int]:
    """The lines that ask the machine for the time of day."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and (_last(node.value), node.attr) in TELLS_TIME:
            yield node.lineno
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (alias.lineno for alias in node.names if alias.name in {"time", "time_ns"})


def _last(node: ast.expr) -> str:
    return ast.unparse(node).rsplit(".", 1)[-1]


def every_error() -> list[type[Exception]]:
    """All classes of errors that are ours, wherever they are defined."""
    for module in modules("duebell"):
        if "migrations" not in module.name:
            dotted = module.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            importlib.import_module(dotted)
    found: list[type[Exception]] = [ConfigurationError]
    waiting: list[type[DuebellError]] = [DuebellError]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += one.__subclasses__()
    return [one for one in found if one.__module__.split(".")[0] in PACKAGES]


@pytest.mark.parametrize("error", every_error(), ids=lambda one: one.__name__)
def test_an_error_survives_pickling_with_all_that_it_says(error: type[Exception]) -> None:
    arguments = {"RateLimited": ("too many", "day", 17.5), "BadField": ("Invoice.Total", "money")}
    made = error(*arguments.get(error.__name__, ("what went wrong",)))
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is error
    assert (str(again), again.args, vars(again)) == (str(made), made.args, vars(made))


def test_no_error_of_the_setup_can_be_swallowed_as_one_of_a_record() -> None:
    assert not issubclass(ConfigurationError, DuebellError)
    assert not issubclass(DuebellError, ConfigurationError)
    assert {errors.Transient, errors.Permanent} < set(DuebellError.__subclasses__())


def entrypoints() -> list[str]:
    deployed = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    return [one["entrypoint"] for one in deployed["deployments"]]


def test_every_flow_is_deployed_under_its_name() -> None:
    deployed = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    expected = {(one.path.stem.replace("_", "-"), f"{one.name}:{one.path.stem}") for one in flow_modules()}
    assert {(one["name"], one["entrypoint"]) for one in deployed} == expected


MOST_AT_ONCE = 32
LOAD = """
import sys
from prefect.flows import load_flow_from_entrypoint
for entrypoint in sys.argv[1:]:
    flow = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
    print(flow.name, getattr(flow.task_runner, "_max_workers", 0))
"""


def test_every_entrypoint_loads_as_the_flow_itself_and_bounds_what_it_does_side_by_side(
    tmp_path: Path,
) -> None:
    # A file that fails to import is loaded as a placeholder otherwise, and fails only when it runs.
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD, *entrypoints()],
        cwd=ROOT,
        env={"PATH": "", "PREFECT_HOME": str(tmp_path), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr[-2000:]
    flows = [line.split() for line in loaded.stdout.splitlines()]
    assert [name for name, _ in flows] == [one.partition(":")[2].replace("_", "-") for one in entrypoints()]
    # Prefect's own bound is none: hundreds of threads would ask Twilio, and wait for the ledger, at once.
    maps = [".map(" in (ROOT / one.partition(":")[0]).read_text(encoding="utf-8") for one in entrypoints()]
    bounded = {name: 0 < int(workers) <= MOST_AT_ONCE for name, workers in flows}
    assert [name for (name, _), many in zip(flows, maps, strict=True) if many and not bounded[name]] == []


def runtime_files() -> list[Path]:
    files = [path for top in PACKAGES for path in (ROOT / top).rglob("*") if path.is_file()]
    files += [ROOT / name for name in ("prefect.yaml", "pyproject.toml", "Makefile", ".env.example")]
    return [path for path in files if "__pycache__" not in path.parts]


def test_no_runtime_file_names_a_place_of_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in runtime_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if OF_A_MACHINE.search(line) or str(ROOT) in line
    ]
    assert found == []
