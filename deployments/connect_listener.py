"""Takes Xero's answer to a consent while `duebell connect` waits and no receiver runs that would."""

import errno
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import httpx
import uvicorn

from deployments.receiver.app import make_callback_app
from deployments.receiver.parts import ReceiverParts
from deployments.receiver.prefect_rest import PrefectPlace
from deployments.receiver.server import uvicorn_config
from deployments.starting import started
from duebell.errors import ConfigurationError
from duebell.resources import Resources
from duebell.settings import Settings

PARTING_SECONDS = 20.0


@contextmanager
def callback_taken(resources: Resources, say: Callable[[str], None]) -> Generator[None]:
    """Have somebody at DUEBELL_LISTEN who takes the answer: the receiver if it runs, this process if not.

    Raises ``ConfigurationError`` where another program has the address.
    """
    settings = resources.settings
    listener = _bound(settings)
    if listener is None:
        if not _is_the_receiver(settings):
            raise ConfigurationError(
                f"{settings.listen} is taken by a program that is not Duebell's receiver: stop it, or choose "
                "another address with DUEBELL_LISTEN"
            )
        yield
        return
    say(f"no receiver runs at {settings.listen}: taking Xero's answer here until it has come")
    with listener, _serving(resources, listener):
        yield


def _bound(settings: Settings) -> socket.socket | None:
    """The receiver's address, or nothing where somebody has it. Raises ``ConfigurationError``."""
    host = settings.listen_host
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, settings.listen_port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise ConfigurationError(
            f"the address {settings.listen} cannot be used ({error.strerror}): choose another with "
            "DUEBELL_LISTEN"
        ) from error
    return listener


def _is_the_receiver(settings: Settings) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.listen_host, settings.listen_host)  # noqa: S104 -- asked, not bound
    place = f"[{host}]" if ":" in host else host
    try:
        answer = httpx.get(f"http://{place}:{settings.listen_port}/healthz", timeout=5.0, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.text == "ok"


@contextmanager
def _serving(resources: Resources, listener: socket.socket) -> Generator[None]:
    parts = ReceiverParts(resources.settings, resources.engine, resources.clock, PrefectPlace(""))
    server = uvicorn.Server(uvicorn_config(parts, make_callback_app(parts)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        yield
    finally:
        server.should_exit = True
        thread.join(PARTING_SECONDS)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    if not started(lambda: server.started, thread.is_alive, pause=0.02):
        raise ConfigurationError("the address for Xero's answer could not be opened: try again")
