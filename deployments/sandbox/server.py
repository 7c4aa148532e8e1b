"""Runs the sandbox: from the command line, or in a thread of a test."""

import argparse
import json
import socket
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn

from deployments.sandbox.app import Sandbox
from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.credentials import XERO_WEBHOOK_KEY
from deployments.sandbox.faults import DroppableProtocol
from deployments.starting import started

_PARTING_SECONDS = 20.0


class SandboxDidNotStartError(Exception):
    """The server was not ready in time."""


def _server(settings: SandboxSettings) -> uvicorn.Server:
    config = uvicorn.Config(
        Sandbox(settings),
        http=DroppableProtocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,  # what is answered bears the time of the sandbox's own clock, or none
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def _bound(host: str, port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it, an answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


@contextmanager
def running_sandbox(settings: SandboxSettings | None = None) -> Generator[SandboxControl]:
    """A sandbox in a thread of its own on a free loopback port; yields its control client.

    Raises ``SandboxDidNotStartError`` where it is not ready in time.
    """
    with _bound("127.0.0.1", 0) as listener:
        server = _server(settings or SandboxSettings())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        control = SandboxControl(_url(listener))
        try:
            _await_start(server, thread)
            yield control
        finally:
            control.close()
            server.should_exit = True
            thread.join(_PARTING_SECONDS)


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    if not started(lambda: server.started, thread.is_alive, pause=0.005):
        raise SandboxDidNotStartError("the sandbox's server did not become ready")


class _AnnouncingServer(uvicorn.Server):
    """Says its address on standard output, as one line of JSON, once it accepts connections."""

    url = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        sys.stdout.write(json.dumps({"base_url": self.url}) + "\n")
        sys.stdout.flush()


def main(arguments: list[str] | None = None) -> None:
    """``python -m deployments.sandbox``: serve until interrupted."""
    options = _options(arguments)
    settings = SandboxSettings(
        webhook_url=options.webhook_url,
        webhook_key=options.webhook_key,
        events_url=options.events_url,
        callback_step_seconds=options.callback_step_seconds,
        day_limit=options.day_limit,
    )
    with _bound(options.host, options.port) as listener:
        server = _AnnouncingServer(_server(settings).config)
        server.url = _url(listener)
        server.run(sockets=[listener])


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deployments.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--webhook-url", help="where Xero's webhooks are posted; none are without it")
    parser.add_argument("--webhook-key", default=XERO_WEBHOOK_KEY, help="the key that signs them")
    parser.add_argument("--events-url", help="where SendGrid's events are posted; none are without it")
    parser.add_argument("--callback-step-seconds", type=float, default=0.3, help="from status to status")
    parser.add_argument("--day-limit", type=int, default=5000, help="Xero calls a day and organisation")
    return parser.parse_args(arguments)
