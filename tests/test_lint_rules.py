"""Rules that an earlier one leaves nothing to: said only where no message could ever reach them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.lint.findings import Grade
from duebell.lint.rule_order import NARROWER, swallowed
from duebell.policy.rules import Facts, decide_route
from duebell.policy_file.rules import Rule, RuleWhen
from duebell.policy_file.shapes import Kind


def rules(*whens: dict[str, object]) -> list[Rule]:
    return [Rule.model_validate({"when": when, "then": {"tone": "firm"}}) for when in whens]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"kind": "invoice_overdue"}, {"kind": "invoice_overdue", "currency": "NZD"}),
        ({"kind": "invoice_overdue"}, {"stage": "last"}),
        ({"stage": ["third", "last"]}, {"stage": "last", "country": "NZ"}),
        ({"currency": "NZD", "amount_from": 100}, {"currency": "NZD", "amount_from": 200}),
        ({"currency": ["NZD", "AUD"], "amount_below": 100}, {"currency": "AUD", "amount_below": 50}),
        ({"reference": "PO*"}, {"reference": "PO-7*"}),
        ({"reference": "*"}, {"currency": "NZD"}),
        ({"invoice_type": ["one_off", "repeating"]}, {"invoice_type": "credit_applied"}),
        ({"contact_group": "Key accounts"}, {"contact_group": " key Accounts"}),
        ({"contact": {"name": "Rimu*"}}, {"contact": {"name": "Rimu Ltd", "email": "*@x.nz"}}),
        ({"tracking": {"category": "Region", "option": "North"}},
         {"tracking": {"category": "region", "option": "north"}, "currency": "NZD"}),
    ],
)  # fmt: skip
def test_a_rule_within_an_earlier_one_is_never_reached(
    earlier: dict[str, object], later: dict[str, object]
) -> None:
    [found] = swallowed(rules(earlier, later))
    assert (found.grade, found.slip.place) == (Grade.MEND, ("rule", 1))
    assert "rule 1 comes first" in found.slip.words


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"kind": "invoice_issued"}, {"stage": "last"}),
        ({"stage": "last"}, {"kind": "invoice_overdue"}),
        ({"currency": "NZD", "amount_from": 200}, {"currency": "NZD", "amount_from": 100}),
        ({"currency": "NZD", "amount_from": 100}, {"currency": "NZD", "amount_below": 200}),
        ({"reference": "PO-?"}, {"reference": "PO-*"}),
        ({"reference": "PO-7*"}, {"reference": "PO*"}),
        ({"invoice_type": "one_off"}, {"invoice_type": "credit_applied"}),
        ({"contact": {"name": "Rimu*"}}, {"contact": {"email": "*"}}),
    ],
)
def test_a_rule_that_something_may_reach_is_left_alone(
    earlier: dict[str, object], later: dict[str, object]
) -> None:
    assert list(swallowed(rules(earlier, later))) == []


def test_every_condition_of_a_rule_is_compared() -> None:
    assert set(NARROWER) == set(RuleWhen.model_fields)


words = st.sampled_from(["NZD", "AUD", "GBP"])
patterns = st.text("ab*?", min_size=1, max_size=4)
whens = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.lists(st.sampled_from([one.value for one in Kind]), min_size=1, unique=True),
        "currency": st.lists(words, min_size=1, unique=True),
        "reference": patterns,
        "country": st.lists(st.sampled_from(["NZ", "AU"]), min_size=1, unique=True),
        "invoice_type": st.lists(st.sampled_from(["one_off", "repeating"]), min_size=1, unique=True),
    },
).filter(bool)
facts = st.builds(
    Facts,
    kind=st.sampled_from(Kind),
    sorts=st.sampled_from([frozenset({"one_off"}), frozenset({"repeating"})]),
    currency=words,
    reference=st.text("ab", max_size=4),
    country=st.sampled_from(["NZ", "AU"]),
)


@given(whens, whens, st.lists(facts, max_size=20))
def test_no_message_ever_reaches_what_is_called_unreachable(
    earlier: dict[str, object], later: dict[str, object], messages: list[Facts]
) -> None:
    both = rules(earlier, later)
    if list(swallowed(both)):
        assert all(decide_route(one, both).place != 2 for one in messages)
