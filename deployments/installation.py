"""All of Duebell on one machine: Prefect's server, the provisioning, the connection, worker and receiver."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import FrameType

import httpx

from deployments.children import ROOT, Child, last_lines, module
from deployments.prefect_server import PrefectServer
from duebell.errors import ConfigurationError
from duebell.settings import Settings

READY_SECONDS = 60.0
Say = Callable[[str], None]


class Installation:
    """One installation as processes. ``environment`` is what its children see beside our own."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], say: Say) -> None:
        self._settings = settings
        self._say = say
        self._server: PrefectServer | None = None
        self._environment = dict(environment)
        self._children: list[Child] = []
        self.stopping = threading.Event()
        self.started = False

    @property
    def prefect_api_url(self) -> str:
        """Where Prefect's API is."""
        return self._environment["PREFECT_API_URL"]

    @property
    def login(self) -> str | None:
        """What Prefect's UI asks for, where its server is ours."""
        return self._server.auth_string if self._server else None

    def child(self, name: str) -> Child:
        """One of the running processes, by its name."""
        return next(child for child in self._children if child.name == name)

    def start(self) -> None:
        """Start everything, in the order in which each needs the one before.

        Raises ``ConfigurationError``, with everything stopped again, where something cannot work.
        """
        self._require_free_port()
        self._start_prefect()
        self._say("making Prefect's work pool, limits and deployments")
        self._run_once("provision", "deployments.provision")
        if self._settings.xero_grant.value == "client_credentials":
            self._say("connecting to Xero")
            self._run_once("connect", "deployments.connect")
        self._say("starting the worker and the receiver")
        self._begin("worker", module("deployments.worker", "--drain-seconds", "5"))
        self._begin("receiver", module("deployments.receiver"))
        self._wait_until_ready()
        self.started = True

    def _require_free_port(self) -> None:
        host, port = self._settings.listen_host, self._settings.listen_port
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise ConfigurationError(
                    f"the receiver's address {host}:{port} cannot be used ({error.strerror}): stop what uses "
                    "it, or choose another with DUEBELL_LISTEN"
                ) from error

    def _start_prefect(self) -> None:
        if self._settings.prefect_api_url:
            self._environment["PREFECT_API_URL"] = self._settings.prefect_api_url
            return
        self._say("starting Prefect's server")
        self._server = PrefectServer(self._settings.home, self._settings.prefect_server_api_port)
        self._server.start()
        self._server.wait_ready()
        self._environment.update(self._server.client_environment())

    def _run_once(self, name: str, module_name: str) -> None:
        done = subprocess.run(
            module(module_name),
            cwd=ROOT,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            words = (done.stderr or done.stdout).strip().splitlines()[-12:]
            raise ConfigurationError("\n".join(words) or f"{name} ended with status {done.returncode}")
        for line in done.stdout.splitlines():
            self._say(line)

    def _begin(self, name: str, command: list[str]) -> None:
        child = Child(name, command, self._environment, self._settings.home / "logs")
        child.start()
        self._children.append(child)

    def _wait_until_ready(self) -> None:
        host = self._settings.listen_host.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - asked, not bound
        url = f"http://{host}:{self._settings.listen_port}/healthz"
        until = time.monotonic() + READY_SECONDS
        while not (_answers(url) and self._worker_is_online()):
            for child in self._children:
                if child.pid is None:
                    raise ConfigurationError(f"the {child.name} could not start:\n{last_lines(child.log)}")
            if time.monotonic() > until:
                raise ConfigurationError(
                    f"worker and receiver were not ready within {READY_SECONDS:.0f} seconds: "
                    f"see {self._settings.home / 'logs'}"
                )
            time.sleep(0.2)

    def _worker_is_online(self) -> bool:
        """Whether the pool has a worker that has looked for work: before that a run would only wait."""
        auth = self._environment.get("PREFECT_API_AUTH_STRING", "")
        user, _, password = auth.partition(":")
        try:
            answer = httpx.get(
                f"{self.prefect_api_url}/work_pools/duebell",
                auth=(user, password) if auth else None,
                timeout=5.0,
                trust_env=False,
            )
        except httpx.HTTPError:
            return False
        return answer.status_code == 200 and answer.json().get("status") == "READY"

    def stay(self) -> None:
        """Watch the processes until somebody asks to stop."""
        while not self.stopping.wait(0.5):
            for child in self._children:
                child.watch()

    def stop(self) -> None:
        """End every process, the last started first."""
        while self._children:
            self._children.pop().stop()
        if self._server is not None:
            self._server.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def running(installation: Installation) -> Generator[Installation]:
    """Start an installation, and stop all of it however the block ends; SIGINT and SIGTERM ask it to stop."""

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        if not installation.started:
            raise KeyboardInterrupt
        installation.stopping.set()

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        installation.start()
        yield installation
    finally:
        installation.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
