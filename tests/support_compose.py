"""The compose file as plain processes: its commands and its variables, with addresses of this machine."""

import os
import re
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml
from sqlalchemy.engine import make_url

from deployments.children import ROOT, Child
from tests.support_forwarder import Forwarder
from tests.support_ports import free_port
from tests.support_prefect import wait_until

FILE = ROOT / "deployments" / "compose.yaml"
GIVEN = {
    "POSTGRES_PASSWORD": "unheard",
    "PREFECT_API_AUTH_STRING": "admin:compose",
    "PREFECT_SERVER_ENCRYPTION_KEY": "vOU0ZzX5JNfbcU1TrAmyx1rLCT6ve4Sa3Im8hQmIqNk=",
    "DUEBELL_PUBLIC_URL": "https://duebell.example.co.nz",
}
"""What its reader has to put into ``.env`` for it."""


def interpolated(text: str, given: Mapping[str, str]) -> str:
    """A text of the file with its variables filled in, as Compose does it.

    Raises ``KeyError`` for one that has to be given and is not.
    """

    def value(match: re.Match[str]) -> str:
        name, other = match["name"], match["other"]
        if match[0] == "$$":
            return "$"
        return given[name] if other is None or other.startswith(":?") else given.get(name, other[2:])

    return re.sub(r"\$\$|\$\{(?P<name>\w+)(?P<other>:[?-][^}]*)?\}", value, text)


def compose_file(given: Mapping[str, str] = GIVEN) -> dict[str, Any]:
    """What the file says."""
    return yaml.safe_load(interpolated(FILE.read_text(encoding="utf-8"), given))


def services() -> dict[str, dict[str, Any]]:
    """The services of the file, in an order in which each comes after what it waits for."""
    wanted: dict[str, dict[str, Any]] = compose_file()["services"]
    ordered: dict[str, dict[str, Any]] = {}

    def add(name: str) -> None:
        for before in wanted[name].get("depends_on", {}):
            add(before)
        ordered[name] = wanted[name]

    for name in wanted:
        add(name)
    return ordered


@dataclass
class Played:
    """The services whose image is ours, each copy a process. Its databases are those of this machine."""

    home: Path
    ledger: str
    prefect_database: str
    redis: str
    """The URL of a Redis whose databases 14 and 15 nobody else needs."""
    providers: Mapping[str, str] = field(default_factory=dict[str, str])
    children: dict[str, Child] = field(default_factory=dict[str, Child])
    prefect: Forwarder = field(default_factory=Forwarder)
    receivers: Forwarder = field(default_factory=Forwarder)

    def start(self) -> None:
        """Start everything in its order, as Compose does; ready when this returns."""
        every = services()
        waits = [wait for one in every.values() for wait in one.get("depends_on", {}).items()]
        ending = {name for name, how in waits if how["condition"] == "service_completed_successfully"}
        for name, service in every.items():
            if service["image"] != "duebell":
                continue
            for copy in range(service.get("deploy", {}).get("replicas", 1)):
                self._start(name, f"{name}-{copy + 1}", service)
                if name in ending:
                    self._wait_for_end(f"{name}-{copy + 1}")

    def kill(self, copy: str) -> None:
        """Let one be gone, as with its machine."""
        child = self.children.pop(copy)
        assert child.pid is not None
        os.killpg(child.pid, signal.SIGKILL)
        child.stop()

    def stop(self) -> None:
        """End everything, the last to come first."""
        for child in reversed(self.children.values()):
            child.stop()
        self.prefect.close()
        self.receivers.close()

    def _start(self, name: str, copy: str, service: Mapping[str, Any]) -> None:
        port = free_port()
        child = Child(copy, self._command(service), self._environment(service, port), self.home / "logs")
        self.children[copy] = child
        child.start()
        forwarder = {"prefect-server": self.prefect, "receiver": self.receivers}.get(name)
        if forwarder is not None:
            wait_until(lambda: forwarder.reaches(port), f"{copy} answers, see {child.log}")
            forwarder.upstreams.append(port)

    def _wait_for_end(self, copy: str) -> None:
        child = self.children[copy]
        wait_until(lambda: child.pid is None, f"{copy} ends, see {child.log}")
        assert child.status == 0, child.log.read_text()

    def _command(self, service: Mapping[str, Any]) -> list[str]:
        program, *rest = cast("list[str]", service["command"])
        return [sys.executable, *rest] if program == "python" else [sys.executable, "-m", program, *rest]

    def _environment(self, service: Mapping[str, Any], port: int) -> dict[str, str]:
        asyncpg = make_url(self.prefect_database).set(drivername="postgresql+asyncpg")
        here = {
            "postgresql+asyncpg://duebell:unheard@postgres:5432/prefect": asyncpg.render_as_string(
                hide_password=False
            ),
            "postgresql+psycopg://duebell:unheard@postgres:5432/duebell": self.ledger,
            "redis://redis:6379/0": f"{self.redis}/14",
            "redis://redis:6379/1": f"{self.redis}/15",
            "http://prefect:4200/api": f"http://127.0.0.1:{self.prefect.port}/api",
            "0.0.0.0:8787": f"127.0.0.1:{port}",
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - what the file says, never bound here
            "/var/lib/duebell": str(self.home),
            "/var/lib/duebell/prefect": str(self.home / "prefect"),
            "/rules/policy.toml": str(self.home / "policy.toml"),
            "/rules/templates": str(ROOT / "deployments" / "templates"),
        }
        in_the_file: dict[str, str] = service["environment"]
        said = {name: here.get(value, value) for name, value in in_the_file.items()}
        own = {"PREFECT_SERVER_API_PORT": str(port)} if "PREFECT_SERVER_API_HOST" in said else {}
        given: Mapping[str, str] = self.providers if "env_file" in service else {}
        return {**given, **said, **own}
