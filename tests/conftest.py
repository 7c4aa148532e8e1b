"""What every test gets: no way out to the network, and a clean environment."""

import os
import socket
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "reference"
OURS = ("DUEBELL_", "XERO_", "TWILIO_", "EMAIL_", "SENDGRID_")
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for another machine fails at the socket."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: tuple[str, int] | str) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test reached for {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_outside() -> None:  # pyright: ignore[reportUnusedFunction]: pytest finds it by its mark
    """The tests' settings come from the tests, not from the shell or an operator's `.env`."""
    for name in list(os.environ):
        if name.startswith(OURS) and not name.startswith("DUEBELL_TEST_"):
            del os.environ[name]


@pytest.fixture
def samples() -> Path:
    """The folder of recorded bodies and interface descriptions; skips where it is not beside the project."""
    if not SAMPLES.is_dir():
        pytest.skip("the recorded bodies are not beside this checkout")
    return SAMPLES
