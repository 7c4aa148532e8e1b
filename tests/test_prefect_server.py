"""Prefect's server as our child: its secrets, its end, and what is said when it cannot start."""

import subprocess
import sys
from pathlib import Path

import pytest

from deployments.prefect_server import PrefectServer
from duebell.errors import ConfigurationError
from tests.support_prefect import ROOT, RunningPrefect, free_port, wait_until


def test_the_server_keeps_its_secrets_to_itself_and_to_its_owner(tmp_path: Path) -> None:
    server, again = PrefectServer(tmp_path, 1), PrefectServer(tmp_path, 1)
    assert server.environment() == again.environment()
    assert server.client_environment()["PREFECT_API_AUTH_STRING"] == server.auth_string
    assert "PREFECT_SERVER_ENCRYPTION_KEY" not in server.client_environment()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_taken_port_is_named(tmp_path: Path, prefect_server: RunningPrefect) -> None:
    taken = PrefectServer(tmp_path, prefect_server.server.port)
    with pytest.raises(ConfigurationError, match=f"port {taken.port} .* is taken"):
        taken.start()


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="DUEBELL_HOME"):
        PrefectServer(tmp_path / "file", free_port()).start()


def test_a_server_that_dies_at_its_start_is_told_with_the_path_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_LOGGING_LEVEL", "nonsense")
    server = PrefectServer(tmp_path, free_port())
    server.start()
    try:
        with pytest.raises(ConfigurationError, match=r"prefect-server\.log"):
            server.wait_ready()
    finally:
        server.stop()


def test_a_killed_parent_leaves_no_server_behind(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom deployments.prefect_server import PrefectServer\n"
        "server = PrefectServer(Path(sys.argv[1]), int(sys.argv[2]))\nserver.start()\n"
        "print('started', flush=True)\ntime.sleep(60)\n"
    )
    port = free_port()
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), str(port)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    with parent.stdout as out:
        out.readline()
    marker = f"--port={port}".encode()

    def left() -> list[Path]:
        lines = [path / "cmdline" for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [path for path in lines if holds(path, marker)]

    wait_until(left, "the server is there")
    parent.kill()
    parent.wait()
    wait_until(lambda: not left(), "the server is gone")


def holds(path: Path, marker: bytes) -> bool:
    try:
        return marker in path.read_bytes()
    except OSError:  # it ended while we looked
        return False
