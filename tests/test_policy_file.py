"""The policy file: what is shipped is sound, and every slip is named with its line."""

import contextlib
from datetime import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from duebell.errors import ConfigurationError
from duebell.policy_file.policy import Policy, load_policy
from duebell.policy_file.shapes import Channel

SHIPPED = Path(__file__).resolve().parents[1] / "deployments" / "policy.toml"


def policy_of(folder: Path, text: str) -> Policy:
    file = folder / "policy.toml"
    file.write_text(text, encoding="utf-8")
    return load_policy(file)


def refused(folder: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        policy_of(folder, text)
    return str(caught.value)


def test_the_shipped_policy_is_what_an_empty_one_means() -> None:
    policy = load_policy(SHIPPED)
    assert policy == Policy()
    assert policy.sending.allowlist == ()
    assert policy.invoice_issued.channels == (Channel.SMS,)
    assert (policy.invoice_issued.opens, policy.invoice_issued.closes) == (time(8), time(21))
    assert policy.invoice_issued.oldest_days == 7
    assert (policy.settle.after_minutes, policy.settle.park_after_minutes) == ((1, 5, 15), 20)


def test_what_is_written_counts_and_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        '[sending]\nallowlist = ["+64 21 123 4567"]\n[invoice_issued]\nenabled = false\ncloses = "00:00"\n',
    )
    assert policy.sending.allowlist == ("+64211234567",)
    assert policy.invoice_issued.enabled is False
    assert policy.invoice_issued.closes == time(0)
    assert policy.invoice_issued.opens == time(8)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[invoice_issued]\nopens = 8", 2, "08:00"),
        ("[invoice_issued]\n\nopens = '8:00'", 3, "08:00"),
        ("[invoice_issued]\ncloses = '24:00'", 2, "00:00"),
        ("[invoice_issued]\nopens = 08:00:00", 2, "in quotes"),
        ("[invoice_issued]\nenabeld = true", 2, "Did you mean enabled?"),
        ("\n[invoice_isued]\nenabled = true", 2, "Did you mean invoice_issued?"),
        ("[invoice_issued]\nenabled = 'yes'", 2, "true or false"),
        ("[invoice_issued]\nenabled = 1", 2, "true or false"),
        ("[invoice_issued]\nchannels = []", 2, "at least one"),
        ("[invoice_issued]\nchannels = ['sms', 'sms']", 2, "each once"),
        ("[invoice_issued]\nchannels = ['fax']", 2, "'sms'"),
        ("[invoice_issued]\nchannels = 'sms'", 2, "square brackets"),
        ("[invoice_issued]\noldest_days = -1", 2, "0 or more"),
        ("[invoice_issued]\noldest_days = 1000", 2, "366 or less"),
        ("[invoice_issued]\noldest_days = '7'", 2, "whole number"),
        ("[invoice_issued]\noldest_days = 7.5", 2, "whole number"),
        ("[invoice_issued]\nfall_back = 'later'", 2, "'at_once', 'next_day' or 'never'"),
        ("[invoice_issued]\nfall_back = true", 2, "'at_once', 'next_day' or 'never'"),
        ("[invoice_overdue]\n\nfall_back_unknown = 'no'", 3, "true or false"),
        ("[preferences]\nstop_ends = 'all'", 2, "'sms' or 'everything'"),
        ("[preferences]\nstop_ends = true", 2, "'sms' or 'everything'"),
        ("[payment_received]\nfall_back = 'never'\nfall_back_unknown = true", 3, "must be false where"),
        ("[settle]\nafter_minutes = [5, 1]", 2, "smallest"),
        ("[settle]\nafter_minutes = []", 2, "at least one"),
        ("[settle]\nafter_minutes = [0]", 2, "1 or more"),
        ("[settle]\npark_after_minutes = 15", 2, "more than the last"),
        ("[settle]\nafter_minutes = [1, 30]", 1, "more than the last"),
        ("settle.after_minutes = []", 1, "at least one"),
        ("sending = 3", 1, "a section"),
        ("[sending]\nallowlist = ['+64 21 123 4567', '021']", 2, "item 2"),
        ("[sending]\nallowlist = [64211234567]", 2, "in quotes"),
        ("[sending]\n'allowlist' = 'x'", 2, "square brackets"),
    ],
)
def test_a_slip_is_named_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    said = refused(tmp_path, text)
    assert f"policy.toml line {line}: " in said
    assert says in said


@pytest.mark.parametrize(
    ("text", "line"), [("[sending]\nallowlist = [", "2"), ("[sending]\na = = 1", "2"), ("a b", "1")]
)
def test_what_is_not_toml_is_named_with_its_place(tmp_path: Path, text: str, line: str) -> None:
    said = refused(tmp_path, text)
    assert "cannot be understood" in said
    assert f"line {line}" in said or "end of document" in said


def test_every_slip_is_named_at_once(tmp_path: Path) -> None:
    said = refused(tmp_path, "[invoice_issued]\nenabeld = 1\nopens = 8\n[settle]\nafter = 1\n")
    assert [line.split(":")[0] for line in said.splitlines()[1:]] == [
        "- policy.toml line 2",
        "- policy.toml line 3",
        "- policy.toml line 5",
    ]


def test_a_number_of_the_allow_list_is_in_no_text(tmp_path: Path) -> None:
    assert "5550123" not in refused(tmp_path, '[sending]\nallowlist = ["+64 9 5550123 x1"]')
    assert "1234567" not in repr(policy_of(tmp_path, '[sending]\nallowlist = ["+64211234567"]'))


def test_a_policy_that_is_not_there_or_not_text_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_policy(tmp_path / "none.toml")
    (tmp_path / "policy.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load_policy(tmp_path / "policy.toml")


def test_a_policy_cannot_be_changed() -> None:
    policy = Policy()
    with pytest.raises(ValidationError):
        policy.invoice_issued.enabled = False


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_a_configuration_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(ConfigurationError):
        assert load_policy(file) == Policy(), "nothing but comments and empty sections is written by chance"
