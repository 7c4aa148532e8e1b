"""The sandbox's Consent API is as strict as Twilio's, and what it holds decides who is written to."""

import json
import uuid
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from deployments.sandbox import credentials as known
from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.server import running_sandbox

PATH = "/v1/Consents/Bulk"
MESSAGES = f"/2010-04-01/Accounts/{known.TWILIO_ACCOUNT_SID}/Messages.json"
TO = "+64211234567"


@pytest.fixture(scope="module")
def running() -> Generator[SandboxControl]:
    with running_sandbox(SandboxSettings(callback_step_seconds=0.005)) as control:
        yield control


def item(**changes: str) -> dict[str, str]:
    usual = {
        "contact_id": TO,
        "correlation_id": uuid.uuid4().hex,
        "sender_id": known.TWILIO_FROM,
        "status": "opt-out",
        "source": "opt-out-message",
    }
    return usual | changes


def posts(twilio: httpx.Client, *items: dict[str, str]) -> httpx.Response:
    return twilio.post(PATH, data={"Items": [json.dumps(one) for one in items]})


def words(twilio: httpx.Client, **changes: str) -> list[str]:
    answer = posts(twilio, item(**changes))
    assert answer.status_code == 201
    told: dict[str, Any] = answer.json()["items"][0]
    assert (told["error_code"] == 0) is (told["error_messages"] == [])
    return told["error_messages"]


def sends(twilio: httpx.Client, **form: str) -> int:
    answer = twilio.post(MESSAGES, data={"To": TO, "Body": "hello", **form})
    return int(answer.json().get("code") or 0)


def test_an_opt_out_blocks_its_sender_alone_and_an_opt_in_lifts_even_a_stop(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    assert words(twilio) == []
    assert sends(twilio, From=known.TWILIO_FROM) == 21610
    assert not sandbox_blocks_service(sandbox, twilio)
    sandbox.opt_out(TO, sender=known.TWILIO_FROM)
    assert words(twilio, status="opt-in", source="offline") == []
    assert sends(twilio, From=known.TWILIO_FROM) == 0
    assert [(one.status, one.source) for one in sandbox.consents()] == [("opt-in", "offline")]
    assert [one.status for one in sandbox.consent_log()] == ["opt-out", "opt-in"]


def sandbox_blocks_service(sandbox: SandboxControl, twilio: httpx.Client) -> bool:
    twilio.post(
        MESSAGES,
        data={"To": TO, "Body": "by the service", "MessagingServiceSid": known.MESSAGING_SERVICE_SID},
    )
    assert sandbox.settle()
    return sandbox.accepted_messages()[-1].error_code == 21610


def test_a_service_finds_out_late(sandbox: SandboxControl, twilio: httpx.Client) -> None:
    assert words(twilio, sender_id=known.MESSAGING_SERVICE_SID) == []
    assert sandbox_blocks_service(sandbox, twilio)
    assert sends(twilio, From=known.TWILIO_FROM) == 0


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"contact_id": "somebody@example.com"}, "INVALID_CONTACT_ID"),
        ({"correlation_id": str(uuid.uuid4())}, "INVALID_CORRELATION_ID"),
        ({"sender_id": "+64219999999"}, "INVALID_SENDER_ID"),
        ({"status": "stopped"}, "INVALID_STATUS"),
        ({"source": "xero"}, "INVALID_SOURCE"),
        ({"date_of_consent": "yesterday"}, "INVALID_DATE_OF_CONSENT"),
        (
            {"date_of_consent": (datetime.now(UTC) + timedelta(days=2)).isoformat()},
            "INVALID_DATE_OF_CONSENT",
        ),
    ],
)
def test_an_item_that_is_wrong_is_told_in_a_201_and_the_others_are_kept(
    sandbox: SandboxControl, twilio: httpx.Client, changes: dict[str, str], word: str
) -> None:
    answer = posts(twilio, item(**changes), item())
    assert answer.status_code == 201
    wrong, right = answer.json()["items"]
    assert (wrong["error_code"], wrong["error_messages"]) == (30646, [word])
    assert (right["error_code"], right["error_messages"]) == (0, [])
    assert len(sandbox.consents()) == 1


def test_more_than_25_items_more_than_100_requests_and_strangers_are_refused(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    assert posts(twilio, *[item() for _ in range(26)]).status_code == 400
    assert twilio.post(PATH, data={"Items": "not json"}).status_code == 400
    assert httpx.post(f"{sandbox.base_url}{PATH}", data={"Items": "{}"}, timeout=60).status_code == 401
    assert [posts(twilio, item()).status_code for _ in range(98)] == [201] * 98
    assert posts(twilio, item()).status_code == 429
    sandbox.shift_clock(60)
    assert posts(twilio, item()).status_code == 201


def test_an_account_without_the_api_says_so(sandbox: SandboxControl, twilio: httpx.Client) -> None:
    sandbox.settings(consents_status=403)
    assert posts(twilio, item()).status_code == 403
    sandbox.settings(consents_status=201, consent_errors={TO: "INTERNAL_SERVER_ERROR"})
    assert words(twilio) == ["INTERNAL_SERVER_ERROR"]
