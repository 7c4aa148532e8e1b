"""A message's status only moves forwards, in whatever order and however often the news comes."""

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from duebell.twilio.statuses import MessageStatus, advance, is_final, message_status, rank

statuses = st.sampled_from(list(MessageStatus))


@given(st.lists(statuses, min_size=1), st.data())
def test_any_order_and_repetition_of_the_news_gives_the_same_status(
    news: list[MessageStatus], data: st.DataObject
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(news), max_size=5))
    shuffled = data.draw(st.permutations(news + repeated))
    assert reduce(advance, news) is reduce(advance, shuffled)


@given(statuses, statuses)
def test_a_status_never_moves_backwards_and_a_final_one_never_reopens(
    current: MessageStatus, incoming: MessageStatus
) -> None:
    after = advance(current, incoming)
    assert after in (current, incoming)
    assert rank(after) >= rank(current)
    assert is_final(after) or not is_final(current)


def test_the_ranks_follow_a_messages_life_and_no_two_are_equal() -> None:
    words = ["scheduled", "accepted", "queued", "sending", "sent", "delivered", "read"]
    ranks = [rank(message_status(word)) for word in words]
    assert ranks == sorted(ranks)
    assert len({rank(status) for status in MessageStatus}) == len(MessageStatus)


def test_a_late_sent_does_not_undo_delivered() -> None:
    assert advance(MessageStatus.DELIVERED, MessageStatus.SENT) is MessageStatus.DELIVERED
    assert advance(MessageStatus.FAILED, MessageStatus.QUEUED) is MessageStatus.FAILED
    assert advance(MessageStatus.DELIVERED, MessageStatus.READ) is MessageStatus.READ


def test_of_two_last_words_the_evidence_of_delivery_wins() -> None:
    assert advance(MessageStatus.UNDELIVERED, MessageStatus.DELIVERED) is MessageStatus.DELIVERED
    assert advance(MessageStatus.DELIVERED, MessageStatus.UNDELIVERED) is MessageStatus.DELIVERED


def test_exactly_these_statuses_are_final() -> None:
    final = {status.value for status in MessageStatus if is_final(status)}
    assert final == {"delivered", "undelivered", "failed", "canceled", "read"}


@given(st.text())
def test_every_word_has_a_status(word: str) -> None:
    assert message_status(word) in MessageStatus


def test_a_word_is_read_without_regard_to_case_and_an_unknown_one_is_unknown() -> None:
    assert message_status(" Delivered ") is MessageStatus.DELIVERED
    assert message_status("teleported") is message_status("") is MessageStatus.UNKNOWN
