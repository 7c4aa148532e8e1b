"""A message's status only moves forwards, in whatever order and however often the news comes."""

from hypothesis import given
from hypothesis import strategies as st

from duebell.twilio.statuses import MessageStatus, is_final, message_status, rank

statuses = st.sampled_from(list(MessageStatus))


@given(statuses, statuses)
def test_nothing_ranks_above_a_final_status_but_another_final_one(
    one: MessageStatus, other: MessageStatus
) -> None:
    assert rank(one) <= rank(other) or is_final(one) or not is_final(other)


def test_the_ranks_follow_a_messages_life_and_no_two_are_equal() -> None:
    words = ["scheduled", "accepted", "queued", "sending", "sent", "delivered", "read"]
    ranks = [rank(message_status(word)) for word in words]
    assert ranks == sorted(ranks)
    assert len({rank(status) for status in MessageStatus}) == len(MessageStatus)


def test_of_two_last_words_the_evidence_of_delivery_ranks_higher() -> None:
    words = ["sent", "failed", "undelivered", "delivered", "read"]
    ranks = [rank(message_status(word)) for word in words]
    assert ranks == sorted(ranks)


def test_exactly_these_statuses_are_final() -> None:
    final = {status.value for status in MessageStatus if is_final(status)}
    assert final == {"delivered", "undelivered", "failed", "canceled", "read"}


@given(st.text())
def test_every_word_has_a_status(word: str) -> None:
    assert message_status(word) in MessageStatus


def test_a_word_is_read_without_regard_to_case_and_an_unknown_one_is_unknown() -> None:
    assert message_status(" Delivered ") is MessageStatus.DELIVERED
    assert message_status("teleported") is message_status("") is MessageStatus.UNKNOWN
