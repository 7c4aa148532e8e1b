"""The sandbox's Twilio is as strict as Twilio, and remembers what it accepted."""

import re
import ssl
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from deployments.sandbox import credentials as known
from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.server import running_sandbox
from deployments.sandbox.twilio_messages import segments

ACCOUNT = f"/2010-04-01/Accounts/{known.TWILIO_ACCOUNT_SID}"
MESSAGES = f"{ACCOUNT}/Messages.json"
TLS = ssl.create_default_context()  # made once, because each client would make its own, slowly
TO = "+64211234567"
GOOD = {"To": TO, "From": known.TWILIO_FROM, "Body": "Invoice INV-1 is here"}
BY_SERVICE = {"To": TO, "MessagingServiceSid": known.MESSAGING_SERVICE_SID, "Body": "Invoice INV-1 is here"}


@pytest.fixture(scope="module")
def running() -> Generator[SandboxControl]:
    with running_sandbox(SandboxSettings(callback_step_seconds=0.005)) as control:
        yield control


def create(twilio: httpx.Client, **form: str) -> dict[str, Any]:
    answer = twilio.post(MESSAGES, data=form)
    assert answer.status_code == 201, answer.text
    return answer.json()


def listed(twilio: httpx.Client, **query: str) -> list[str]:
    answer = twilio.get(MESSAGES, params=query)
    assert answer.status_code == 200, answer.text
    return [message["sid"] for message in answer.json()["messages"]]


def in_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_invented_sids_have_the_shape_of_real_ones() -> None:
    for sid, start in (
        (known.TWILIO_ACCOUNT_SID, "AC"),
        (known.TWILIO_API_KEY, "SK"),
        (known.MESSAGING_SERVICE_SID, "MG"),
    ):
        assert re.fullmatch(start + "[0-9a-f]{32}", sid)


def test_a_bare_number_is_queued_and_a_service_only_accepts(twilio: httpx.Client) -> None:
    direct = create(twilio, **GOOD)
    assert (direct["status"], direct["from"], direct["num_segments"]) == ("queued", known.TWILIO_FROM, "1")
    pooled = create(twilio, **BY_SERVICE)
    assert (pooled["status"], pooled["from"], pooled["num_segments"]) == ("accepted", None, "0")
    assert pooled["messaging_service_sid"] == known.MESSAGING_SERVICE_SID
    assert re.fullmatch("SM[0-9a-f]{32}", direct["sid"])
    assert direct["sid"] != pooled["sid"]
    assert parsedate_to_datetime(direct["date_created"]).tzinfo is not None


def test_the_same_form_twice_is_two_messages_because_twilio_has_no_idempotency_key(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    token = {"I-Twilio-Idempotency-Token": "one"}
    sids = {twilio.post(MESSAGES, data=GOOD, headers=token).json()["sid"] for _ in range(2)}
    assert {message.sid for message in sandbox.accepted_messages()} == sids
    assert len(sids) == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": ""}, 21604),
        ({"To": "021 123 4567"}, 21211),
        ({"To": "+64211234"}, 21211),
        ({"To": "+15550001111"}, 21211),
        ({"To": known.TWILIO_FROM}, 21211),
        ({"To": "+6443005550"}, 21635),
        ({"To": "+15005550001"}, 21211),
        ({"To": "+15005550002"}, 21612),
        ({"To": "+15005550003"}, 21408),
        ({"To": "+15005550004"}, 21610),
        ({"To": "+15005550009"}, 21614),
        ({"From": ""}, 21606),
        ({"From": "+12025550143"}, 21606),
        ({"From": "TwelveLetter"}, 21606),
        ({"From": "AcmeBooks", "To": "+12025550143"}, 21612),
        ({"From": "+15005550001"}, 21212),
        ({"From": "+15005550008"}, 21611),
        ({"MessagingServiceSid": "MG" + "0" * 32}, 21701),
        ({"MessagingServiceSid": "pool"}, 21705),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"StatusCallback": "ftp://hooks.example/status"}, 21609),
        ({"StatusCallback": "https://my_hooks.example/status"}, 21609),
        ({"StatusCallback": "hooks.example/status"}, 21609),
        ({"StatusCallback": "https://hooks.example/" + "x" * 4000}, 21609),
        ({"ValidityPeriod": "0"}, 21624),
        ({"ValidityPeriod": "36001"}, 21624),
        ({"ValidityPeriod": "an hour"}, 21624),
        ({"SendAt": "2026-01-01T00:00:00Z", "ScheduleType": "fixed"}, 35118),
        ({"MessageIntent": "confirm"}, 20001),
        ({"SmartEncoded": "True"}, 20001),
        ({"Statuscallback": "https://hooks.example"}, 20001),
    ],
)
def test_a_faulty_form_is_refused_with_twilios_code_and_accepted_nowhere(
    sandbox: SandboxControl, twilio: httpx.Client, changes: dict[str, str], code: int
) -> None:
    answer = twilio.post(MESSAGES, data=GOOD | changes)
    body = answer.json()
    assert (answer.status_code, body["code"], body["status"]) == (400, code, 400)
    assert body["more_info"].endswith(f"/{code}")
    assert sandbox.accepted_messages() == ()


def test_a_message_may_come_under_a_name(twilio: httpx.Client) -> None:
    assert create(twilio, **GOOD | {"From": "AcmeBooks"})["from"] == "AcmeBooks"


def test_a_form_without_any_sender_or_a_body_that_is_no_form_is_refused(twilio: httpx.Client) -> None:
    assert twilio.post(MESSAGES, data={"To": TO, "Body": "x"}).json()["code"] == 21603
    assert twilio.post(MESSAGES, json=GOOD).json()["code"] == 21604


def test_what_is_not_modelled_says_so_itself(twilio: httpx.Client) -> None:
    assert twilio.post(MESSAGES, data=GOOD | {"MediaUrl": "https://x.example"}).status_code == 501
    assert twilio.get(MESSAGES, params={"DateCreated>": "2026-01-01"}).status_code == 501
    assert twilio.get(f"{ACCOUNT}/Calls.json").status_code == 501
    assert twilio.delete(f"{ACCOUNT}/Messages/SM1.json").status_code == 501


def test_loopback_callbacks_can_be_refused_as_twilio_does(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    sandbox.settings(loopback_callbacks=False)
    for url in ("http://localhost:1/x", "http://127.0.0.1:1/x"):
        assert twilio.post(MESSAGES, data=GOOD | {"StatusCallback": url}).json()["code"] == 21609


def test_only_the_accounts_own_credentials_open_it(sandbox: SandboxControl) -> None:
    key = (known.TWILIO_API_KEY, known.TWILIO_API_SECRET)
    token = (known.TWILIO_ACCOUNT_SID, known.TWILIO_AUTH_TOKEN)
    other = MESSAGES.replace(known.TWILIO_ACCOUNT_SID, "AC" + "0" * 32)
    for path, auth, status in (
        (MESSAGES, token, 200),
        (MESSAGES, key, 200),
        (MESSAGES, None, 401),
        (MESSAGES, (known.TWILIO_ACCOUNT_SID, "wrong"), 401),
        (other, token, 401),
        (f"{ACCOUNT}.json", token, 200),
        (f"{ACCOUNT}.json", key, 401),
    ):
        answer = httpx.get(sandbox.base_url + path, auth=auth, verify=TLS, timeout=60)
        assert answer.status_code == status
        assert answer.headers["Twilio-Request-Id"].startswith("RQ")
        assert status == 200 or answer.json()["code"] == 20003


def test_the_account_is_active_and_full(twilio: httpx.Client) -> None:
    account = twilio.get(f"{ACCOUNT}.json").json()
    assert (account["sid"], account["status"], account["type"]) == (
        known.TWILIO_ACCOUNT_SID,
        "active",
        "Full",
    )


def test_the_list_is_newest_first_filtered_by_to_and_paged_by_token(twilio: httpx.Client) -> None:
    sids = [create(twilio, **GOOD)["sid"] for _ in range(5)]
    create(twilio, **GOOD | {"To": "+61491570156"})
    page = twilio.get(MESSAGES, params={"To": TO, "PageSize": 2}).json()
    walked = [message["sid"] for message in page["messages"]]
    while page["next_page_uri"]:
        page = twilio.get(page["next_page_uri"]).json()
        walked += [message["sid"] for message in page["messages"]]
    assert walked == sids[::-1]


def test_a_fresh_message_is_absent_from_a_list_that_lags_and_can_still_be_fetched(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    sandbox.settings(list_lag_seconds=30)
    sid = create(twilio, **GOOD)["sid"]
    assert listed(twilio) == []
    assert twilio.get(f"{ACCOUNT}/Messages/{sid}.json").status_code == 200
    sandbox.shift_clock(31)
    assert listed(twilio) == [sid]


def test_a_date_filter_takes_days_and_instants_and_hides_what_was_not_sent(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    sid = create(twilio, **GOOD)["sid"]
    assert sandbox.settle()
    sandbox.script_life("stuck")
    create(twilio, **GOOD)
    sent = parsedate_to_datetime(twilio.get(f"{ACCOUNT}/Messages/{sid}.json").json()["date_sent"])
    tomorrow = (sent + timedelta(days=1)).strftime("%Y-%m-%d")
    assert listed(twilio, DateSent=sent.strftime("%Y-%m-%d")) == [sid]
    assert listed(twilio, **{"DateSent>": tomorrow}) == []
    assert listed(twilio, **{"DateSent<": tomorrow}) == [sid]
    assert listed(twilio, **{"DateSent>": in_utc(sent)}) == [sid]
    assert listed(twilio, **{"DateSent>": in_utc(sent + timedelta(seconds=1))}) == []
    assert twilio.get(MESSAGES, params={"DateSent>": "yesterday"}).json()["code"] == 20001


def test_an_unknown_message_is_not_found(twilio: httpx.Client) -> None:
    answer = twilio.get(f"{ACCOUNT}/Messages/SM{'0' * 32}.json")
    assert (answer.status_code, answer.json()["code"]) == (404, 20404)


def test_a_redaction_empties_the_text_and_the_oracle_still_knows_it(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    path = f"{ACCOUNT}/Messages/{create(twilio, **GOOD)['sid']}.json"
    assert sandbox.settle()
    assert twilio.post(path, data={"Body": "other"}).json()["code"] == 20001
    assert twilio.post(path, data={"Body": ""}).json()["body"] == ""
    assert [message.body for message in sandbox.accepted_messages()] == [GOOD["Body"]]


def test_an_opt_out_refuses_at_once_with_a_number_and_later_with_a_service(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    sandbox.opt_out(TO)
    assert twilio.post(MESSAGES, data=GOOD).json()["code"] == 21610
    create(twilio, **BY_SERVICE)
    assert sandbox.settle()
    assert [(m.status, m.error_code) for m in sandbox.accepted_messages()] == [("failed", 21610)]
    sandbox.opt_out(TO, opted_out=False)
    assert twilio.post(MESSAGES, data=GOOD).status_code == 201


def test_segments_follow_the_alphabet_of_the_text() -> None:
    assert [segments("a" * n) for n in (160, 161, 306, 307)] == [1, 2, 2, 3]
    assert [segments("ā" * n) for n in (70, 71, 134, 135)] == [1, 2, 2, 3]
    assert [segments("€" * n) for n in (80, 81)] == [1, 2]
