"""The sandbox's Twilio keeps a schedule, and no message for longer than it may wait."""

import re
from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.server import running_sandbox
from tests.test_sandbox_twilio import ACCOUNT, BY_SERVICE, GOOD, MESSAGES, create, in_utc

HOUR = 3600


@pytest.fixture(scope="module")
def running() -> Generator[SandboxControl]:
    with running_sandbox(SandboxSettings(callback_step_seconds=0.005)) as control:
        yield control


def comes_to(twilio: httpx.Client, sid: str, *before: str) -> tuple[str, int | None]:
    """The status and code that a message has once it is in none of these."""
    while True:
        message = twilio.get(f"{ACCOUNT}/Messages/{sid}.json").json()
        if message["status"] not in before:
            return message["status"], message["error_code"]


def test_a_scheduled_message_waits_for_its_time_by_the_sandboxs_clock(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    send_at = in_utc(datetime.now(UTC) + timedelta(minutes=10))
    sid = create(twilio, **BY_SERVICE, ScheduleType="fixed", SendAt=send_at)["sid"]
    assert sandbox.settle()
    assert [message.status for message in sandbox.accepted_messages()] == ["scheduled"]
    sandbox.shift_clock(601)
    path = f"{ACCOUNT}/Messages/{sid}.json"
    while twilio.get(path).json()["status"] == "scheduled":
        sandbox.settle()
    assert sandbox.settle()
    assert twilio.get(path).json()["status"] == "delivered"


def test_a_scheduled_message_can_be_cancelled_and_then_never_leaves(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    send_at = in_utc(datetime.now(UTC) + timedelta(minutes=10))
    sid = create(twilio, **BY_SERVICE, ScheduleType="fixed", SendAt=send_at)["sid"]
    path = f"{ACCOUNT}/Messages/{sid}.json"
    assert twilio.post(path, data={"Status": "canceled"}).json()["status"] == "canceled"
    assert twilio.post(path, data={"Status": "canceled"}).json()["code"] == 30409
    sandbox.shift_clock(601)
    assert sandbox.settle()
    assert twilio.get(path).json()["status"] == "canceled"


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"ScheduleType": "fixed"}, 35111),
        ({"SendAt": "2026-01-01T00:00:00Z"}, 35117),
        ({"ScheduleType": "fixed", "SendAt": "2026-01-01 00:00"}, 35114),
        ({"ScheduleType": "fixed", "SendAt": "in 4 minutes"}, 35115),
        ({"ScheduleType": "fixed", "SendAt": "in 60000 minutes"}, 35115),
    ],
)
def test_a_schedule_outside_of_the_rules_is_refused(
    twilio: httpx.Client, form: dict[str, str], code: int
) -> None:
    minutes = re.fullmatch(r"in (\d+) minutes", form.get("SendAt", ""))
    if minutes:
        form = form | {"SendAt": in_utc(datetime.now(UTC) + timedelta(minutes=int(minutes[1])))}
    assert twilio.post(MESSAGES, data=BY_SERVICE | form).json()["code"] == code


def test_a_message_that_is_still_queued_when_its_validity_ends_has_failed(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    sandbox.settings(queue_seconds=2 * HOUR)
    short = create(twilio, **GOOD, ValidityPeriod=str(HOUR))["sid"]
    long = create(twilio, **BY_SERVICE, ValidityPeriod=str(3 * HOUR))["sid"]
    assert sandbox.settle()
    assert comes_to(twilio, long, "accepted") == ("queued", None)
    sandbox.shift_clock(HOUR + 1)
    assert comes_to(twilio, short, "queued") == ("failed", 30036)
    sandbox.shift_clock(HOUR)
    assert comes_to(twilio, long, "queued", "sending", "sent") == ("delivered", None)
    assert [one.validity_seconds for one in sandbox.accepted_messages()] == [HOUR, 3 * HOUR]


def in_minutes(minutes: float) -> dict[str, str]:
    return {"ScheduleType": "fixed", "SendAt": in_utc(datetime.now(UTC) + timedelta(minutes=minutes))}


def test_the_lead_may_be_the_longer_one_of_older_pages(sandbox: SandboxControl, twilio: httpx.Client) -> None:
    sandbox.settings(schedule_lead_seconds=900)
    assert twilio.post(MESSAGES, data=BY_SERVICE | in_minutes(14)).json()["code"] == 35115
    assert twilio.post(MESSAGES, data=BY_SERVICE | in_minutes(16)).json()["status"] == "scheduled"


def test_shortly_before_its_time_it_may_be_too_late_to_cancel(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    sandbox.settings(cancel_until_seconds=60)
    sid = create(twilio, **BY_SERVICE, **in_minutes(10))["sid"]
    sandbox.shift_clock(9.5 * 60)
    answer = twilio.post(f"{ACCOUNT}/Messages/{sid}.json", data={"Status": "canceled"})
    assert (answer.status_code, answer.json()["code"]) == (400, 30409)


def test_f058_a_stop_does_not_cancel_what_is_scheduled_and_is_found_at_its_time(
    sandbox: SandboxControl, twilio: httpx.Client
) -> None:
    sid = create(twilio, **BY_SERVICE, **in_minutes(10))["sid"]
    sandbox.opt_out(BY_SERVICE["To"])
    assert comes_to(twilio, sid) == ("scheduled", None)
    sandbox.shift_clock(601)
    assert comes_to(twilio, sid, "scheduled") == ("failed", 21610)


def test_f085_a_schedule_can_be_ignored_in_silence(sandbox: SandboxControl, twilio: httpx.Client) -> None:
    sandbox.settings(ignores_schedules=True)
    assert create(twilio, **BY_SERVICE, **in_minutes(10))["status"] == "accepted"
