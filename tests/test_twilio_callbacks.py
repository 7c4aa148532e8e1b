"""Status callbacks: where they are sent to, and what is read from them."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.twilio.callbacks import callback_url, read_status_callback
from duebell.twilio.statuses import MessageStatus

PHONE = "+64215550199"
SID = "SM" + "c" * 32
ATTEMPT = "0b8f4f3e-8a55-4c5e-9d5b-6a6f3b1f7a10"


def test_a_callback_is_read_with_its_code_and_its_own_word() -> None:
    callback = read_status_callback(
        {
            "MessageSid": SID,
            "MessageStatus": "undelivered",
            "ErrorCode": "30034",
            "AccountSid": "AC1",
            "To": PHONE,
        }
    )
    assert (callback.sid, callback.account_sid, callback.to) == (SID, "AC1", PHONE)
    assert (callback.status, callback.raw_status) == (MessageStatus.UNDELIVERED, "undelivered")
    assert callback.error_code == 30034


def test_the_older_names_of_the_fields_serve_where_the_newer_ones_are_absent_or_blank() -> None:
    callback = read_status_callback({"MessageSid": "", "SmsSid": SID, "SmsStatus": "sent"})
    assert (callback.sid, callback.status) == (SID, MessageStatus.SENT)


def test_an_unknown_status_and_unknown_fields_are_kept_for_the_ledger() -> None:
    pairs = [("MessageStatus", "teleported"), ("Novelty", "1"), ("Novelty", "2"), ("ErrorCode", "")]
    callback = read_status_callback(pairs)
    assert (callback.status, callback.raw_status, callback.error_code) == (
        MessageStatus.UNKNOWN,
        "teleported",
        None,
    )
    assert json.loads(callback.form_json) == {
        "ErrorCode": [""],
        "MessageStatus": ["teleported"],
        "Novelty": ["1", "2"],
    }


def test_a_callback_does_not_show_whom_it_is_about() -> None:
    assert PHONE not in repr(read_status_callback({"To": PHONE, "From": PHONE}))


names = st.sampled_from(["MessageSid", "SmsSid", "MessageStatus", "SmsStatus", "ErrorCode", "To"]) | st.text()


@given(st.lists(st.tuples(names, st.text())))
def test_any_form_can_be_read_and_nothing_of_it_is_lost(pairs: list[tuple[str, str]]) -> None:
    callback = read_status_callback(pairs)
    kept = [(key, value) for key, values in json.loads(callback.form_json).items() for value in values]
    assert sorted(kept) == sorted(pairs)
    assert read_status_callback(pairs) == callback


def test_the_address_names_the_attempt_and_asks_for_five_more_tries() -> None:
    url = callback_url("https://hooks.example/", ATTEMPT)
    assert url == f"https://hooks.example/webhooks/twilio/status?n={ATTEMPT}#rc=5&rp=all"


@pytest.mark.parametrize(
    "base",
    [
        "https://duebell.example.com",
        "https://duebell.example.com:8443/prefix",
        "http://203.0.114.7:8787",
        "https://xn--mnchen-3ya.example",
        "https://[2606:4700::1111]",
    ],
)
def test_a_public_host_gets_an_address(base: str) -> None:
    url = callback_url(base, ATTEMPT)
    assert url is not None
    assert url.startswith(f"{base}/webhooks/twilio/status?")


@pytest.mark.parametrize(
    "base",
    [
        "http://localhost:8787",
        "http://LOCALHOST.:8787",
        "http://app.localhost",
        "http://127.0.0.1:8787",
        "http://127.8.9.10",
        "http://[::1]:8787",
        "http://0.0.0.0",
        "http://10.1.2.3",
        "http://192.168.1.2",
        "http://100.64.0.1",
        "http://169.254.169.254",
        "http://[fd00::1]",
        "http://[::ffff:127.0.0.1]",
        "http://2130706433",
        "http://0x7f.1",
        "http://duebell",
        "http://duebell.local",
        "http://duebell.internal",
        "https://due_bell.example.com",
        "https://-x.example.com",
    ],
)
def test_a_host_that_twilio_refuses_gets_none_unless_twilio_is_local(base: str) -> None:
    assert callback_url(base, ATTEMPT) is None
    local = callback_url(base, ATTEMPT, allow_loopback=True)
    assert local is not None
    assert parse_qs(urlsplit(local).query) == {"n": [ATTEMPT]}


@pytest.mark.parametrize(
    "base", ["", "hooks.example", "ftp://hooks.example", "https://", "https://[", "https://a.example?x=1"]
)
def test_what_is_no_base_url_gets_none(base: str) -> None:
    assert callback_url(base, ATTEMPT, allow_loopback=True) is None


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_whatever_the_attempts_id_is_it_comes_back_whole(attempt: str) -> None:
    url = callback_url("https://hooks.example", attempt)
    assert url is not None
    parts = urlsplit(url)
    assert parse_qs(parts.query) == {"n": [attempt]}
    assert parts.fragment == "rc=5&rp=all"
