"""What a test asks to go wrong does go wrong, and the sandbox knows whether it was processed."""

import json
import ssl
import subprocess
import sys

import httpx
import pytest

from deployments.sandbox import credentials as known
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.control_client import ControlRefusedError

MESSAGES = f"/2010-04-01/Accounts/{known.TWILIO_ACCOUNT_SID}/Messages.json"
FORM = {"To": "+64211234567", "From": known.TWILIO_FROM, "Body": "hello"}
TLS = ssl.create_default_context()  # made once, because each client would make its own, slowly
CUT = (httpx.RemoteProtocolError, httpx.ReadError)


def post(sandbox: SandboxControl, timeout: float = 30) -> httpx.Response:
    auth = (known.TWILIO_ACCOUNT_SID, known.TWILIO_AUTH_TOKEN)
    return httpx.post(sandbox.base_url + MESSAGES, data=FORM, auth=auth, timeout=timeout, verify=TLS)


def accepted(sandbox: SandboxControl) -> int:
    return len(sandbox.accepted_messages())


def test_a_connection_dropped_before_processing_leaves_nothing_behind(sandbox: SandboxControl) -> None:
    sandbox.fail_next("drop_before", method="POST", path="*/Messages.json")
    with pytest.raises(CUT):
        post(sandbox)
    assert accepted(sandbox) == 0
    assert [seen.status for seen in sandbox.requests()] == [None]
    assert post(sandbox).status_code == 201


def test_a_connection_dropped_after_processing_leaves_an_accepted_message(sandbox: SandboxControl) -> None:
    sandbox.fail_next("drop_after", path="*/Messages.json")
    with pytest.raises(CUT):
        post(sandbox)
    assert accepted(sandbox) == 1
    assert [seen.status for seen in sandbox.requests()] == [None]


def test_dropping_works_on_a_connection_that_was_kept_alive(sandbox: SandboxControl) -> None:
    with httpx.Client(base_url=sandbox.base_url, verify=TLS, timeout=60) as client:
        assert client.get("/connections").status_code == 401
        for kind in ("drop_before", "drop_after"):
            sandbox.fail_next(kind)
            with pytest.raises(CUT):
                client.get("/connections")
        assert client.get("/connections").status_code == 401


def test_a_status_takes_the_place_of_the_answer_with_or_without_the_work_done(
    sandbox: SandboxControl,
) -> None:
    headers = {"Retry-After": "2"}
    sandbox.fail_next("status", status=429, body='{"code": 20429}', headers=headers)
    refused = post(sandbox)
    assert (refused.status_code, refused.json(), refused.headers["Retry-After"]) == (
        429,
        {"code": 20429},
        "2",
    )
    assert accepted(sandbox) == 0
    sandbox.fail_next("status", status=500, process=True)
    assert post(sandbox).status_code == 500
    assert accepted(sandbox) == 1


def test_an_html_page_and_half_a_body_are_answers_that_no_client_can_read(sandbox: SandboxControl) -> None:
    sandbox.fail_next("html", status=504)
    page = post(sandbox)
    assert (page.status_code, page.headers["content-type"]) == (504, "text/html; charset=utf-8")
    assert accepted(sandbox) == 0
    sandbox.fail_next("truncate")
    half = post(sandbox)
    assert half.status_code == 201
    with pytest.raises(json.JSONDecodeError):
        half.json()
    assert accepted(sandbox) == 1


def test_a_delay_outlasts_a_read_timeout_and_the_message_is_accepted_all_the_same(
    sandbox: SandboxControl,
) -> None:
    sandbox.fail_next("delay", path="*/Messages.json", seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        post(sandbox, timeout=0.2)
    sandbox.clear_faults()
    while not accepted(sandbox):
        pass
    assert accepted(sandbox) == 1


def test_a_fault_meets_only_what_matches_and_only_as_often_as_asked(sandbox: SandboxControl) -> None:
    sandbox.fail_next("status", method="POST", path="*/Messages.json", status=503, times=2, skip=1)
    assert httpx.get(sandbox.base_url + "/connections", verify=TLS, timeout=60).status_code == 401
    assert [post(sandbox).status_code for _ in range(4)] == [201, 503, 503, 201]


def test_cleared_faults_harm_nobody(sandbox: SandboxControl) -> None:
    sandbox.fail_next("drop_before", times=9)
    sandbox.clear_faults()
    assert post(sandbox).status_code == 201


def test_control_requests_never_meet_a_fault(sandbox: SandboxControl) -> None:
    sandbox.fail_next("drop_before", times=9)
    assert sandbox.accepted_messages() == ()


def test_the_control_surface_refuses_what_it_does_not_know(sandbox: SandboxControl) -> None:
    assert httpx.post(f"{sandbox.base_url}/_sandbox/unheard_of", verify=TLS, timeout=60).status_code == 404
    for verb, body in (
        ("approve", b"{}"),
        ("approve", b'{"invoice_id": "x", "y": 1}'),
        ("approve", b"{"),
        ("settings", b'{"changes": {"no_such": 1}}'),
        ("settings", b'{"changes": {"minute_limit": "many"}}'),
    ):
        assert (
            httpx.post(
                f"{sandbox.base_url}/_sandbox/{verb}", content=body, verify=TLS, timeout=60
            ).status_code
            == 400
        )
    with pytest.raises(ControlRefusedError, match="no invoice nobody"):
        sandbox.approve("nobody")


def test_a_reset_forgets_everything(sandbox: SandboxControl) -> None:
    sandbox.settings(minute_limit=1)
    sandbox.fail_next("drop_before")
    sandbox.reset()
    assert post(sandbox).status_code == 201
    sandbox.reset()
    assert (accepted(sandbox), sandbox.requests()) == (0, ())
    assert sandbox.settings().minute_limit == 60


def test_the_command_says_its_address_in_one_line_of_json_and_ends_when_told() -> None:
    command = [sys.executable, "-m", "deployments.sandbox", "--port", "0", "--day-limit", "1000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        control = SandboxControl(line["base_url"])
        try:
            assert control.settings().day_limit == 1000
        finally:
            control.close()
            process.terminate()
        process.wait(20)
        assert process.stdout.read() == ""
