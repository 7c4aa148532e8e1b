"""How a run's end is told in the UI: the most pressing line names it, and every silence has its reason."""

from datetime import UTC, datetime, timedelta

import pytest

from duebell.email.rulings import TABLE
from duebell.policy.verdict import IN_WORDS, Reason
from duebell.sending.outcomes import conclusion_of
from duebell.showing.reporting import OTHERWISE, Line, ending, in_words
from duebell.twilio.codes import UNKNOWN_ANSWER
from duebell.twilio.outcome import Refused

NOW = datetime(2026, 11, 20, 1, tzinfo=UTC)


def line(state: str, reason: str = "") -> Line:
    code = reason.partition(":")[0]
    return Line("INV-1", "+64•••••567", "sms", state, in_words(reason), "", code)


@pytest.mark.parametrize(
    ("states", "name"),
    [
        (["accepted", "skipped"], "Told"),
        (["delivered", "unknown"], "Outcome unknown"),
        (["delivered", "unknown", "parked"], "Parked"),
        (["held", "skipped"], "Held"),
        (["given_up"], "Not delivered"),
        (["skipped"], "Nothing to tell"),
        ([], "Nothing to tell"),
    ],
)
def test_the_most_pressing_line_names_the_end(states: list[str], name: str) -> None:
    assert ending([line(state) for state in states]).name == name


def test_the_counts_of_every_state_are_in_the_message() -> None:
    ended = ending([line("accepted"), line("accepted"), line("given_up")])
    assert ended.message == "2 accepted, 1 given up"


def test_a_template_problem_makes_the_run_unsound_and_says_where() -> None:
    ended = ending(
        [line("accepted"), line("held", "template:invoice_issued/sms.txt line 1: there is no field x")]
    )
    assert (ended.sound, ended.name) == (False, "Template problem")
    where = "(invoice_issued/sms.txt line 1: there is no field x)"
    assert ended.message == f"{OTHERWISE['template']} {where}"


def test_what_no_provider_would_be_asked_to_send_is_no_fault_of_a_template() -> None:
    why = "the recipient's email address cannot be used (comment)"
    ended = ending([line("accepted"), line("held", f"unfit_to_post:{why}")])
    assert (ended.sound, ended.name) == (False, "Cannot be posted")
    assert ended.message == f"{OTHERWISE['unfit_to_post']} ({why})"


def test_words_that_only_look_like_a_problem_make_no_run_unsound() -> None:
    told = Line("INV-1", "", "sms", "held", "template: a rule of this name leaves it out", "")
    assert ending([told]).sound


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason])
def test_every_reason_of_a_decision_has_its_sentence(reason: Reason) -> None:
    assert in_words(reason.value) == IN_WORDS[reason] != ""


def test_a_detail_stands_behind_its_reason() -> None:
    assert in_words("no_phone:not_a_mobile") == "the contact has no usable mobile number (not_a_mobile)"


def test_a_code_of_twilio_is_told_with_its_meaning() -> None:
    assert in_words("twilio:21211") == "Twilio's code 21211: not a phone number that can be texted"


@pytest.mark.parametrize("word", TABLE)
def test_what_sendgrid_said_of_an_email_is_told_in_words(word: str) -> None:
    assert in_words(f"email:{word}") == TABLE[word].meaning


@pytest.mark.parametrize("before", ["twilio:21614", "email:bounce", "channel_stopped:sms:US"])
def test_why_another_way_took_over_is_told_in_words(before: str) -> None:
    assert in_words(f"next_channel:{before}") == f"{OTHERWISE['next_channel']} ({in_words(before)})"
    assert in_words(before) != before


@pytest.mark.parametrize(("provider", "named"), [("twilio", "Twilio"), ("sendgrid", "SendGrid")])
def test_a_refusal_without_a_code_is_told_in_words_with_whose_it_is(provider: str, named: str) -> None:
    refused = Refused(400, None, UNKNOWN_ANSWER, "", provider)
    known = conclusion_of(refused, tries=1, first_look=timedelta(), jitter=0, now=NOW)
    assert known.reason == f"{provider}:http_400"
    assert in_words(known.reason) == (
        f"{named} refused it (HTTP 400) and gave no code: `duebell audit` has what it means"
    )
    assert known.cause == f"HTTP 400: {UNKNOWN_ANSWER.meaning}"


def test_a_refusal_that_was_kept_without_its_provider_blames_none() -> None:
    told = "the provider refused it and gave no code: `duebell audit` has what it means"
    assert in_words("twilio:None") == told
    assert in_words("next_channel:twilio:None").endswith(f"({told})")


def test_the_reasons_of_sending_have_their_sentences_and_others_stay_as_they_are() -> None:
    assert in_words("another_way") == OTHERWISE["another_way"]
    assert in_words("run_cancelled") == OTHERWISE["run_cancelled"]
    assert in_words("template:x line 1") == f"{OTHERWISE['template']} (x line 1)"
    assert in_words("not one of ours: x") == "not one of ours: x"
    assert in_words("") == ""
