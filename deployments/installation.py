"""All of Duebell on one machine: Prefect's server, the provisioning, the connection, worker and receiver."""

import socket
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager

import httpx

from deployments.children import Child, Restarts, StopAsked, last_lines, module, stop_all
from deployments.prefect_server import PrefectServer
from deployments.starting import START_SECONDS, started
from duebell.errors import ConfigurationError
from duebell.prefect_names import WORK_POOL
from duebell.settings import Settings

# Together below the ten seconds that a person waits after Ctrl-C.
DRAIN_SECONDS, WORK_SECONDS, SERVER_SECONDS, REST_SECONDS = 4.5, 5.5, 3.0, 0.5
Say = Callable[[str], None]


class Installation:
    """One installation as processes. ``environment`` is what its children see beside our own.

    ``beneath`` are children that run already, and end with it, last.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        say: Say,
        stop_asked: StopAsked,
        beneath: Sequence[Child] = (),
    ) -> None:
        self._settings = settings
        self._say = say
        self._server: PrefectServer | None = None
        self._server_restarts = Restarts()
        self._environment = dict(environment)
        self._children: list[Child] = []
        self._steps: list[Child] = []
        self._beneath = list(beneath)
        self.stop_asked = stop_asked

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
        """Start everything, each as soon as what it needs is there.

        Raises ``ConfigurationError`` where something cannot work.
        """
        self._require_free_port()
        self._start_prefect()
        self._say("making Prefect's work pool, limits and deployments")
        provision = self._step("provision", "deployments.provision")
        self._say("connecting to Xero")
        self._finish(self._step("connect", "deployments.connect"))
        # Not before: it would take the events of an organisation that is being connected for a stranger's.
        self._begin("receiver", module("deployments.receiver"))
        self._finish(provision)
        self._say("starting the worker")
        self._begin("worker", module("deployments.worker", f"--drain-seconds={DRAIN_SECONDS}"))
        self._wait_until_ready()

    def _require_free_port(self) -> None:
        host, port = self._settings.listen_host, self._settings.listen_port
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise ConfigurationError(
                    f"the receiver's address {self._settings.listen} cannot be used ({error.strerror}): "
                    "stop what uses it, or choose another with DUEBELL_LISTEN"
                ) from error

    def _start_prefect(self) -> None:
        if self._settings.prefect_api_url:
            self._environment.update(client_environment(self._settings))
            return
        self._say("starting Prefect's server")
        settings = self._settings
        self._server = PrefectServer(
            settings.home, settings.prefect_server_api_port, settings.prefect_server_ui_api_url
        )
        self._environment.update(self._server.client_environment())
        self._server.start()
        self._server.wait_ready(self._still("Prefect's server"))

    def _step(self, name: str, module_name: str) -> Child:
        """Begin something that ends by itself."""
        step = Child(name, module(module_name), self._environment, self._settings.home / "logs", answers=True)
        self._steps.append(step)
        step.start()
        return step

    def _finish(self, step: Child) -> None:
        """Wait for its end and tell its answer."""
        while step.pid is not None:
            time.sleep(0.05)
        if step.status != 0:
            words = last_lines(step.log, 12) or last_lines(step.answer, 12)
            raise ConfigurationError(words or f"{step.name} ended with status {step.status}")
        for line in step.answer.read_text(encoding="utf-8").splitlines():
            self._say(line)

    def _begin(self, name: str, command: list[str]) -> None:
        child = Child(name, command, self._environment, self._settings.home / "logs")
        self._children.append(child)
        child.start()

    def _wait_until_ready(self) -> None:
        url = f"http://{_reachable(self._settings.listen)}/healthz"
        if started(
            lambda: _answers(url) and worker_is_online(self._environment),
            lambda: all(child.pid is not None for child in self._children),
            self._still("worker and receiver"),
        ):
            return
        for child in self._children:
            if child.pid is None:
                raise ConfigurationError(f"the {child.name} could not start:\n{last_lines(child.log)}")
        raise ConfigurationError(
            f"worker and receiver were not ready within {START_SECONDS:.0f} seconds: "
            f"see {self._settings.home / 'logs'}"
        )

    def _still(self, whom: str) -> Callable[[], None]:
        """Tells a person that nothing is wrong, and where to look."""
        return lambda: self._say(f"still waiting for {whom} (logs: {self._settings.home / 'logs'})")

    def watch(self) -> None:
        """Start again what died, later each time, and say so."""
        for child in self._children:
            if told := child.watch():
                self._say(told)
        server = self._server
        if server is not None and not server.running() and self._server_restarts.look(server.start):
            self._say(f"Prefect's server ended and is started again: see {server.log}")

    def stay(self, look: Callable[[], None] = lambda: None) -> None:
        """Watch the processes until somebody asks to stop, and ``look`` each time."""
        while not self.stop_asked.asked.wait(0.5):
            self.watch()
            look()

    def stop(self) -> None:
        """End every process in less than ten seconds: what works first, then what it talks to."""
        stop_all([*self._steps, *self._children], WORK_SECONDS)
        for child in self._beneath:
            child.ask_to_end()
        if self._server is not None:
            self._server.stop(SERVER_SECONDS)
        stop_all(self._beneath, REST_SECONDS)


def client_environment(settings: Settings) -> dict[str, str]:
    """Where a Prefect server that is not ours is, and what it asks for, as Prefect's own clients read it.

    A password is in it. They look into ``.env`` too, but into no other file that the settings may come from.
    """
    given = {
        "PREFECT_API_URL": settings.prefect_api_url,
        "PREFECT_API_AUTH_STRING": settings.prefect_api_auth_string.get_secret_value(),
    }
    return {name: value for name, value in given.items() if value}


def worker_is_online(environment: Mapping[str, str]) -> bool:
    """Whether the pool has a worker that has looked for work: before that a run would only wait.

    ``environment`` is what Prefect's clients read.
    """
    auth = environment.get("PREFECT_API_AUTH_STRING", "")
    user, _, password = auth.partition(":")
    try:
        answer = httpx.get(
            f"{environment['PREFECT_API_URL']}/work_pools/{WORK_POOL}",
            auth=(user, password) if auth else None,
            timeout=5.0,
            trust_env=False,
        )
    except httpx.HTTPError:
        return False
    return answer.status_code == 200 and answer.json().get("status") == "READY"


def _reachable(listen: str) -> str:
    """The address to ask for what is bound to every address."""
    return listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")  # noqa: S104 - asked, not bound


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def running(installation: Installation) -> Generator[Installation]:
    """Start an installation, and stop all of it however the block ends.

    Until it runs, asking to stop raises ``KeyboardInterrupt``; from then on ``stay`` returns.
    """
    stop_asked = installation.stop_asked
    try:
        installation.start()
        stop_asked.abrupt = False
        yield installation
    finally:
        stop_asked.abrupt = False
        installation.stop()
