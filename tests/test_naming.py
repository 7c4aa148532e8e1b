"""An organisation is meant by the name that a person reads, and by no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.naming import is_named, meant
from duebell.errors import ConfigurationError
from duebell.ledger.tables import Tenant

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


def organisation(tenant_id: str, name: str) -> Tenant:
    return Tenant(tenant_id=tenant_id, name=name, base_currency="NZD", timezone="UTC", token_set_id="one")


MOA, OTHER_MOA, KEA = organisation("A1", "Moa"), organisation("b2", " Moa "), organisation("c3", "Kea")


def test_a_name_means_the_one_that_has_it_and_an_id_means_one_of_several_with_the_name() -> None:
    assert meant("Kea ", [MOA, OTHER_MOA, KEA]) == [KEA]
    assert meant(" a1", [MOA, OTHER_MOA, KEA]) == [MOA]
    assert meant("Tui", [MOA, OTHER_MOA, KEA]) == []


def test_a_name_that_two_have_means_neither_and_both_ids_are_told() -> None:
    with pytest.raises(ConfigurationError, match=r"2 organisations .* \(A1, b2\); nothing was changed"):
        meant("Moa", [MOA, OTHER_MOA, KEA])
