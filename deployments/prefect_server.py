"""Prefect's own server as a child of ours, on the loopback, with every setting that our promises rest on.

The settings are those of docs.prefect.io/v3/api-ref/settings-ref; each line below says why it is not left
at Prefect's default.
"""

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
from cryptography.fernet import Fernet

from deployments.starting import START_SECONDS, started
from duebell.errors import ConfigurationError

HOST = "127.0.0.1"
# Our own secrets are none of the server's business, and it writes its environment into crash reports.
OURS = ("DUEBELL_", "XERO_", "TWILIO_", "EMAIL_", "SENDGRID_")

BOTH_SIDES = {
    # Without this a wrong PREFECT_API_URL quietly starts a temporary server and the history is gone with it.
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}
SERVER = {
    # Leases in memory (the default) are lost at a restart while their slots stay taken in the database.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    # CSRF tokens guard what a browser sends along by itself, and the password is no cookie; they cost a 422.
    "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "false",
}
CLIENT = {
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",
    # Lets what `duebell` itself logs during a run reach that run's page.
    "PREFECT_LOGGING_EXTRA_LOGGERS": "duebell",
    # Prefect would warn at each line of ours that is logged outside a run.
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
}
OPERATORS_CHOICE = {
    # Runs are kept for ever by default ("events" alone are vacuumed); the ledger is the lasting record.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(90 * 24 * 60 * 60),
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
}
TIE = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


def tied_to_parent(command: Sequence[str]) -> list[str]:
    """``command``, made to be killed by the kernel when the thread that starts it is gone (Linux).

    The kernel looks at the starting *thread* (man 2 PR_SET_PDEATHSIG), so start it from the main one. Where
    there is no ``prctl`` the command is returned as it is: a child may then outlive a killed parent, and the
    next start names the port that it still holds.
    """
    if not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "prctl"):
        return list(command)
    return [sys.executable, "-c", TIE, str(os.getpid()), *command]


def end_group(process: "subprocess.Popen[bytes]", patience: float) -> None:
    """End a child that leads its own process group: SIGTERM, then SIGKILL after ``patience`` seconds."""
    _signal_group(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    _signal_group(process, signal.SIGKILL)
    process.wait()


class PrefectServer:
    """One Prefect server that lives and dies with us, under ``home``; a proxy may serve ``ui_api_url``."""

    def __init__(self, home: Path, port: int, ui_api_url: str = "") -> None:
        self.home = home
        self.port = port
        self._ui_api_url = ui_api_url
        self.log = home / "logs" / "prefect-server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def api_url(self) -> str:
        """Where clients reach it."""
        return f"http://{HOST}:{self.port}/api"

    @property
    def auth_string(self) -> str:
        """The ``user:password`` that its UI and its API ask for.

        The operator's own if the environment has one; otherwise made on first use into
        ``<home>/prefect-auth``, mode 0600. Raises ConfigurationError.
        """
        given = os.environ.get("PREFECT_SERVER_API_AUTH_STRING")
        return given or self._kept("prefect-auth", lambda: f"admin:{secrets.token_urlsafe(24)}")

    def environment(self) -> dict[str, str]:
        """The settings of the server; secrets are in it. Raises ConfigurationError."""
        # Otherwise the key of Prefect's encrypted blocks lies in the same database as the blocks.
        given = os.environ.get("PREFECT_SERVER_ENCRYPTION_KEY")
        # Without these any page on the internet may read what its reader's browser is answered.
        pages = ",".join(f"http://{name}:{self.port}" for name in (HOST, "localhost"))
        open_to_choice = {**OPERATORS_CHOICE, "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": pages}
        chosen = {name: os.environ.get(name, value) for name, value in open_to_choice.items()}
        return {
            **BOTH_SIDES,
            **SERVER,
            **chosen,
            # Prefect's own look into a .env does not reach our check of names, nor another file than that.
            **({"PREFECT_SERVER_UI_API_URL": self._ui_api_url} if self._ui_api_url else {}),
            "PREFECT_HOME": str(self.home / "prefect"),
            # The pages of the UI ask the port of this setting, whatever port they were served from.
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_SERVER_API_AUTH_STRING": self.auth_string,
            "PREFECT_SERVER_ENCRYPTION_KEY": given
            or self._kept("prefect-encryption-key", lambda: Fernet.generate_key().decode()),
        }

    def client_environment(self) -> dict[str, str]:
        """The settings of whatever talks to this server: worker, receiver, command line.

        The auth string is in it. Raises ConfigurationError.
        """
        return {
            **BOTH_SIDES,
            **CLIENT,
            "PREFECT_HOME": str(self.home / "prefect"),
            "PREFECT_API_URL": self.api_url,
            "PREFECT_API_AUTH_STRING": self.auth_string,
        }

    def start(self) -> None:
        """Start it and return at once; call from the main thread (see ``tied_to_parent``).

        Raises ConfigurationError when the port is taken or ``home`` cannot be written.
        """
        settings = self.environment()
        _require_free_port(self.port)
        where = [f"--host={HOST}", f"--port={self.port}"]
        command = [sys.executable, "-m", "deployments.prefect_process", "server", "start", *where]
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            (self.home / "prefect").mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise _unwritable(self.home, error) from error
        inherited = {name: os.environ[name] for name in os.environ if not name.startswith(OURS)}
        with os.fdopen(descriptor, "ab") as log:
            self._process = subprocess.Popen(
                tied_to_parent(command),
                env={**inherited, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to hand on, after the worker has drained
            )

    def wait_ready(self, told: Callable[[], None] = lambda: None, within: float = START_SECONDS) -> None:
        """Return when the server answers; ``told`` is called now and then until it does.

        Raises ConfigurationError if it dies, or is not there ``within`` so many seconds.
        """
        if started(lambda: _answers(f"{self.api_url}/health"), self.running, told, within=within):
            return
        if not self.running():
            raise ConfigurationError(f"Prefect's server ended while it was starting: see {self.log}")
        raise ConfigurationError(
            f"Prefect's server did not answer on {self.api_url} in {within:.0f} s: see {self.log}"
        )

    def running(self) -> bool:
        """Whether the child is alive."""
        return self._process is not None and self._process.poll() is None

    def stop(self, patience: float = 5.0) -> None:
        """End the server and whatever it started: SIGTERM, then SIGKILL after ``patience`` seconds."""
        if self._process is not None:
            end_group(self._process, patience)
            self._process = None

    def _kept(self, name: str, make: Callable[[], str]) -> str:
        try:
            return _read_or_make(self.home / name, make)
        except OSError as error:
            raise _unwritable(self.home, error) from error


def _read_or_make(path: Path, make: Callable[[], str]) -> str:
    """The secret kept at ``path``; made there, whole or not at all, by whoever comes first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        descriptor, scratch = tempfile.mkstemp(dir=path.parent)  # mode 0600 by itself
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(make())
                file.flush()
                os.fsync(file.fileno())  # else a power cut may leave its name, and nothing in it
            os.link(scratch, path)
        except FileExistsError:
            pass
        finally:
            Path(scratch).unlink()
    path.chmod(0o600)
    kept = path.read_text(encoding="ascii", errors="replace").strip()
    if not kept:  # Prefect would let nobody in, us neither
        raise ConfigurationError(f"{path} is empty: delete it, and a new one is made")
    return kept


def _require_free_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ConfigurationError(
                f"port {port} on {HOST} is taken: end what holds it, or set PREFECT_SERVER_API_PORT"
            ) from error


def _unwritable(home: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{home} cannot be written ({error.strerror}): set DUEBELL_HOME to a folder of your own"
    )


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _signal_group(process: "subprocess.Popen[bytes]", number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
