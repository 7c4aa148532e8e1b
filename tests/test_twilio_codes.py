"""The table of Twilio's codes: total, safe where it knows nothing, and the same on both ways in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.twilio.codes import (
    TABLE,
    UNKNOWN_ANSWER,
    UNKNOWN_CALLBACK,
    UNKNOWN_CALLER,
    UNKNOWN_END,
    Action,
    Ruling,
    Stops,
    action_for,
    error_code,
)

# What Twilio's documentation and support pages tell a sender to do, by the fault's page under
# twilio.com/docs/api/errors; each line is an action that costs people or money when it is another one.
EXPECTED = {
    Action.OPTED_OUT: {21610, 30640},
    Action.NUMBER_INVALID: {21211, 21214, 21265, 21266, 21614, 21635, 30006},
    Action.SETTLE: {20500, 20503},
    Action.RETRY_LATER: {
        *(20009, 20429, 21611, 30001, 30003, 30008, 30017, 30022, 30023, 30027, 30047, 30450, 30610),
        *(35114, 35115, 35117, 63018),
    },
    Action.NEXT_CHANNEL: {
        *(21612, 30004, 30005, 30007, 30011, 30019, 30410),
        *(63003, 63016, 63024, 63036),
    },
    Action.GIVE_UP: {30010, 30038, 30039, 30453},
}


@pytest.mark.parametrize("action", list(EXPECTED))
def test_f081_exactly_these_codes_lead_to_this_action(action: Action) -> None:
    assert {code for code, ruling in TABLE.items() if ruling.action is action} == EXPECTED[action]


@pytest.mark.parametrize(
    "code", [20003, 20005, 20010, 21408, 21606, 21608, 21609, 21617, 21657, 30034, 30454, 35118, 63038, 90010]
)
def test_a_fault_of_the_setup_alerts_a_person_and_marks_nobody(code: int) -> None:
    ruling = action_for(code, from_callback=False)
    assert (ruling.action, ruling.alert) == (Action.CONFIGURATION, True)
    assert not ruling.marks_opted_out
    assert not ruling.marks_invalid


@pytest.mark.parametrize("code", [code for code in TABLE if TABLE[code].action is not Action.SETTLE])
def test_a_known_code_means_the_same_in_an_answer_and_in_a_callback(code: int) -> None:
    assert action_for(code, from_callback=False) == action_for(code, from_callback=True) == TABLE[code]


def test_a_code_that_leaves_open_what_happened_cannot_be_settled_twice() -> None:
    assert action_for(20500, from_callback=False).action is Action.SETTLE
    assert action_for(20500, from_callback=True) == UNKNOWN_CALLBACK


def test_a_message_that_may_have_arrived_is_not_texted_again() -> None:
    ruling = action_for(30410, from_callback=True)
    assert (ruling.action, ruling.fall_back, ruling.retries) == (Action.NEXT_CHANNEL, True, 0)


def test_a_number_that_fails_once_is_suspect_and_not_invalid() -> None:
    ruling = action_for(30005, from_callback=True)
    assert (ruling.marks_invalid, ruling.invalid_after) == (False, 2)


unknown_codes = st.none() | st.integers(-10, 100_000).filter(lambda code: code not in TABLE)


@given(code=unknown_codes, from_callback=st.booleans(), http_status=st.none() | st.integers(400, 499))
def test_an_unknown_code_alerts_and_never_marks_anybody(
    *, code: int | None, from_callback: bool, http_status: int | None
) -> None:
    ruling = action_for(code, from_callback=from_callback, http_status=http_status)
    assert ruling in (UNKNOWN_ANSWER, UNKNOWN_CALLER, UNKNOWN_CALLBACK, UNKNOWN_END)
    assert ruling.alert
    assert ruling.action in (Action.GIVE_UP, Action.NEXT_CHANNEL, Action.CONFIGURATION, Action.SETTLE)
    assert not ruling.marks_opted_out
    assert not ruling.marks_invalid
    assert not ruling.invalid_after
    assert ruling.retries == 0


@pytest.mark.parametrize("status", [401, 403, 404, 405, 407])
def test_an_unknown_refusal_of_the_caller_is_a_fault_of_the_setup(status: int) -> None:
    assert action_for(None, from_callback=False, http_status=status) == UNKNOWN_CALLER
    assert action_for(21610, from_callback=False, http_status=status).action is Action.OPTED_OUT


@pytest.mark.parametrize(
    "ruling", [*TABLE.values(), UNKNOWN_ANSWER, UNKNOWN_CALLBACK, UNKNOWN_CALLER, UNKNOWN_END]
)
def test_a_ruling_does_not_contradict_itself(ruling: Ruling) -> None:
    assert ruling.meaning
    assert (ruling.action in {Action.RETRY_LATER, Action.DECIDE_ANEW}) == (ruling.retries > 0)
    assert (ruling.action is Action.RETRY_LATER) == (ruling.retry_after_minutes is not None)
    assert ruling.marks_opted_out == (ruling.action is Action.OPTED_OUT)
    assert ruling.marks_invalid == (ruling.action is Action.NUMBER_INVALID)
    assert ruling.fall_back or ruling.action is not Action.NEXT_CHANNEL
    assert ruling.stops is Stops.NOTHING or ruling.action is Action.CONFIGURATION
    # What is closed in one country can go by another channel; while a channel or sender is stopped, all wait.
    of_one_country = ruling.stops in {Stops.DESTINATION, Stops.ROUTE}
    assert ruling.stops is Stops.NOTHING or ruling.fall_back is of_one_country
    assert not ruling.invalid_over_days or ruling.invalid_after > 1


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        *((21610, 21610), ("21610", 21610), ("0", None), (0, None), ("", None), (None, None)),
        *(
            (True, None),
            (1.5, None),
            ("-1", None),
            ("2_1", None),
            ("\uff12\uff11", None),
            ("9" * 5000, None),
            ([], None),
        ),
    ],
)
def test_a_code_is_a_number_or_its_digits(raw: object, code: int | None) -> None:
    assert error_code(raw) == code
