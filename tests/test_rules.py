"""The rules: the first that matches decides alone, and it can be told why."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duebell.model import Tracking
from duebell.policy.rules import NO_RULE, Facts, decide_route, facts_of, looks_like, sorts_of
from duebell.policy_file.policy import Policy
from duebell.policy_file.rules import InvoiceSort, Rule
from duebell.policy_file.shapes import Channel, Kind
from tests.support_facts import a_contact, an_invoice

THEME = "7889a0ac-262a-40e3-8a63-9a769b1a18af"
SILENT = {"silence": True}


def rules(*written: dict[str, Any]) -> tuple[Rule, ...]:
    return Policy.model_validate({"rule": list(written)}).rules


def rule(when: dict[str, Any], **then: Any) -> dict[str, Any]:
    return {"when": when, "then": then or SILENT}


INVOICE = an_invoice(
    amount_due=Decimal(500),
    reference="PO 77/B",
    branding_theme_id=THEME,
    tracking=(Tracking("Region", "North"), Tracking("Salesperson", "Ana")),
)
CONTACT = a_contact(
    name="Rimu Test Limited",
    first_name="Moana",
    email="accounts@rimu.example.com",
    groups=("Key Accounts",),
    region="Waikato",
)
FACTS = facts_of(Kind.INVOICE_OVERDUE, INVOICE, CONTACT, country="NZ", stage="second", theme_name="Kauri Red")


@pytest.mark.parametrize(
    ("fits", "does_not"),
    [
        ({"kind": "invoice_overdue"}, {"kind": ["invoice_issued", "payment_received"]}),
        ({"stage": ["first", "second"]}, {"stage": "third"}),
        ({"invoice_type": "one_off"}, {"invoice_type": ["repeating", "credit_applied"]}),
        ({"currency": ["AUD", "NZD"]}, {"currency": "AUD"}),
        ({"currency": "NZD", "amount_from": 500}, {"currency": "NZD", "amount_from": Decimal("500.01")}),
        ({"currency": "NZD", "amount_below": Decimal("500.01")}, {"currency": "NZD", "amount_below": 500}),
        ({"branding_theme": THEME.upper()}, {"branding_theme": "Kauri Blue"}),
        ({"branding_theme": "kauri red"}, {"branding_theme": THEME[:-1]}),
        ({"reference": "po ??/*"}, {"reference": "po ?/*"}),
        ({"contact_group": "key accounts"}, {"contact_group": "key"}),
        ({"contact": {"name": "rimu*", "email": "*@rimu.example.com"}}, {"contact": {"name": "rimu"}}),
        ({"contact": {"first_name": "Moan?"}}, {"contact": {"last_name": "?*"}}),
        ({"country": ["AU", "NZ"]}, {"country": "AU"}),
        ({"region": "waikato "}, {"region": "Otago"}),
        (
            {"tracking": {"category": "region", "option": "NORTH"}},
            {"tracking": {"category": "Salesperson", "option": "North"}},
        ),
    ],
)
def test_each_condition_is_true_of_what_it_names_alone(
    fits: dict[str, Any], does_not: dict[str, Any]
) -> None:
    assert decide_route(FACTS, rules(rule(fits))).place == 1
    assert decide_route(FACTS, rules(rule(does_not))) is NO_RULE


def test_all_conditions_of_a_rule_must_be_true() -> None:
    both = {"country": "NZ", "stage": "second"}
    assert decide_route(FACTS, rules(rule(both))).why == ("stage", "country")
    assert decide_route(FACTS, rules(rule(both | {"currency": "AUD"}))) is NO_RULE


def test_the_first_rule_that_matches_decides_alone() -> None:
    written = rules(
        rule({"country": "AU"}),
        {"name": "firm-north"} | rule({"country": "NZ"}, tone="firm", template="north", channels=["sms"]),
        rule({"country": "NZ"}, tone="soft"),
    )
    route = decide_route(FACTS, written)
    assert (route.place, route.name, route.why) == (2, "firm-north", ("country",))
    assert (route.tone, route.template, route.channels) == ("firm", "north", (Channel.SMS,))
    assert not route.silence


def test_a_rule_without_conditions_is_for_everything() -> None:
    route = decide_route(FACTS, rules({"then": SILENT}))
    assert (route.place, route.why, route.silence) == (1, (), True)


def test_without_a_rule_a_message_is_as_its_kind_says() -> None:
    assert decide_route(FACTS, ()) is NO_RULE
    assert (NO_RULE.place, NO_RULE.silence, NO_RULE.template) == (0, False, None)


def test_why_names_no_person() -> None:
    route = decide_route(FACTS, rules(rule({"contact": {"name": "Rimu*"}, "reference": "PO*"})))
    assert route.why == ("reference", "contact.name")
    assert "Rimu" not in repr(FACTS)
    assert "PO" not in repr(FACTS)


def test_an_amount_that_nobody_knows_is_in_no_range() -> None:
    unknown = facts_of(Kind.INVOICE_ISSUED, an_invoice(amount_due=None), None, country="NZ")
    for bound in ({"amount_from": 0}, {"amount_below": 10**9}):
        assert decide_route(unknown, rules(rule({"currency": "NZD"} | bound))) is NO_RULE


def test_of_a_payment_the_amount_is_what_was_paid() -> None:
    paid = facts_of(Kind.PAYMENT_RECEIVED, INVOICE, CONTACT, country="NZ", paid=Decimal(20))
    assert decide_route(paid, rules(rule({"currency": "NZD", "amount_below": 21}))).place == 1


@pytest.mark.parametrize(
    ("invoice", "sorts"),
    [
        (an_invoice(), {InvoiceSort.ONE_OFF}),
        (an_invoice(repeating_invoice_id=THEME), {InvoiceSort.REPEATING}),
        (an_invoice(amount_credited=Decimal(0)), {InvoiceSort.ONE_OFF}),
        (
            an_invoice(repeating_invoice_id=THEME, amount_credited=Decimal("0.01")),
            {InvoiceSort.REPEATING, InvoiceSort.CREDIT_APPLIED},
        ),
    ],
)
def test_how_an_invoice_came_about(invoice: Any, sorts: set[InvoiceSort]) -> None:
    assert sorts_of(invoice) == sorts


@pytest.mark.parametrize(
    ("text", "pattern", "like"),
    [
        ("", "", True), ("", "*", True), ("", "?", False), ("a", "", False), ("abc", "a*c", True),
        ("abc", "*b*", True), ("abc", "a?c", True), ("abc", "a?", False), ("abcabc", "*abc", True),
        ("a[b]c", "a[b]c", True), ("ab", "a[b]", False), ("a.c", "a.c", True), ("abc", "a.c", False),
        ("a\nb", "a*b", True), ("aab", "*ab", True), ("ABC", "abc", True), ("abc", "abc*", True),
    ],
)  # fmt: skip
def test_a_pattern_has_stars_and_question_marks_alone(text: str, pattern: str, like: bool) -> None:  # noqa: FBT001 - a column of the table
    assert looks_like(text, pattern) is like


def test_a_pattern_that_would_cost_a_regex_an_age_is_soon_done() -> None:
    assert not looks_like("a" * 4000, "*a" * 90 + "b")


pieces = st.lists(st.sampled_from(["a", "b", "*", "?"]), max_size=6).map("".join)


@given(st.text("ab", max_size=8), pieces)
def test_a_pattern_says_what_the_obvious_recursion_says(text: str, pattern: str) -> None:
    def obvious(text: str, pattern: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(obvious(text[start:], pattern[1:]) for start in range(len(text) + 1))
        return bool(text) and pattern[0] in {"?", text[0]} and obvious(text[1:], pattern[1:])

    assert looks_like(text, pattern) is obvious(text, pattern)


whens = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.lists(st.sampled_from([kind.value for kind in Kind]), min_size=1, max_size=2, unique=True),
        "country": st.sampled_from(["NZ", "AU"]),
        "currency": st.sampled_from(["NZD", "AUD"]),
        "reference": st.sampled_from(["PO*", "*7", "*"]),
        "contact_group": st.sampled_from(["Key accounts", "Others"]),
    },
)
facts = st.builds(
    Facts,
    kind=st.sampled_from(Kind),
    currency=st.sampled_from(["NZD", "AUD"]),
    country=st.sampled_from(["NZ", "AU", ""]),
    reference=st.sampled_from(["PO 7", "PO 8", ""]),
    contact_groups=st.sampled_from([(), ("Key accounts",), ("Others", "Key accounts")]),
)


@given(facts, st.lists(whens, max_size=6))
def test_the_route_is_that_of_the_first_rule_that_would_match_alone(
    about: Facts, written: list[dict[str, Any]]
) -> None:
    made = rules(*(rule(when, tone=f"t{place}") for place, when in enumerate(written, start=1)))
    alone = [place for place, one in enumerate(made, start=1) if decide_route(about, [one]).place]
    route = decide_route(about, made)
    assert route.place == (alone[0] if alone else 0)
    assert route.tone == (f"t{alone[0]}" if alone else None)


@given(facts, st.lists(whens, min_size=1, max_size=4), st.lists(whens, max_size=4))
def test_rules_that_stand_behind_change_nothing(
    about: Facts, before: list[dict[str, Any]], behind: list[dict[str, Any]]
) -> None:
    first = decide_route(about, rules(*map(rule, before)))
    every = decide_route(about, rules(*map(rule, before + behind)))
    assert every == first or first is NO_RULE
