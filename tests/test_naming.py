"""An organisation is meant by the name that a person reads, and by no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.naming import is_named

BLANKS = st.text("  \t\u00a0\u2009\u202f\u200b\ufeff", min_size=1, max_size=3).map(lambda some: f" {some}")
WORDS = st.lists(st.text("aBéç&[/]'", min_size=1, max_size=4), min_size=1, max_size=4)


@given(WORDS, st.data())
def test_what_nobody_sees_between_and_around_the_words_makes_no_other_name(
    words: list[str], data: st.DataObject
) -> None:
    name = "".join(f"{data.draw(BLANKS)}{word}" for word in words) + data.draw(BLANKS)
    assert is_named(" ".join(words), name)
    assert is_named(name, " ".join(words))


def test_an_accent_is_the_same_however_it_is_written() -> None:
    assert is_named("Caf\u00e9", "Cafe\u0301")


@pytest.mark.parametrize("other", ["moa bay", "MoaBay", "Moa Bay Ltd", "Moa", "", " "])
def test_another_name_is_another_one(other: str) -> None:
    assert not is_named(other, "Moa Bay ")
