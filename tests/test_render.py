"""Rendering: a template says only what it may, a value is never obeyed, and nobody reads "Hi ,"."""

import pickle
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from duebell.errors import TemplateProblem
from duebell.money import format_amount, format_day
from duebell.render.rendering import Link, Templates

SHIPPED = Path(__file__).resolve().parents[1] / "deployments" / "templates"
VALUES: dict[str, object] = {
    "organisation": "Harbour Joinery Ltd",
    "contact_name": "Kauri Cafe",
    "contact_first_name": "",
    "invoice": {
        "number": "INV-0042",
        "reference": None,
        "currency": "NZD",
        "total": Decimal("1234.5"),
        "amount_due": Decimal("1234.50"),
        "issued_on": date(2026, 11, 22),
        "due_on": date(2026, 12, 20),
    },
    "lines": [{"text": "one"}, {"text": "two"}],
    "link": "",
    "past_due": 0,
    "locale": "en_NZ",
}


def render(folder: Path, template: str, values: dict[str, object] | None = None) -> str:
    file = folder / "kind" / "sms.txt"
    file.parent.mkdir(exist_ok=True)
    file.write_text(template, encoding="utf-8")
    return Templates(folder).render_sms("kind", VALUES if values is None else values)


def refused(folder: Path, template: str, values: dict[str, object] | None = None) -> str:
    with pytest.raises(TemplateProblem) as caught:
        render(folder, template, values)
    return str(caught.value)


def invoice(**changes: object) -> dict[str, object]:
    whole = VALUES["invoice"]
    assert isinstance(whole, dict)
    return {**VALUES, "invoice": {**whole, **changes}}


def test_the_shipped_template_tells_of_an_invoice_in_one_segment() -> None:
    text = Templates(SHIPPED).render_sms("invoice_issued/en", VALUES)
    assert text == "Harbour Joinery Ltd: invoice INV-0042 for $1,234.50 is due on 20 Dec 2026. Thank you."
    link = Link("https://in.xero.test/abcdefghijklmnopqrstuvwx")
    longer = Templates(SHIPPED).render_sms("invoice_issued/en", {**VALUES, "link": link})
    assert f" View it: {link} " in longer
    assert len(longer) <= 160
    assert longer.isascii()


def test_the_shipped_template_does_without_a_due_date() -> None:
    text = Templates(SHIPPED).render_sms("invoice_issued/en", invoice(due_on=None))
    assert text == "Harbour Joinery Ltd: invoice INV-0042 for $1,234.50 has been issued. Thank you."


def test_the_shipped_template_takes_amounts_and_days_that_are_written_out_already() -> None:
    written = invoice(
        amount_due=format_amount(Decimal("1234.5"), "NZD", "en_NZ"),
        due_on=format_day(date(2026, 12, 20), "en_NZ"),
    )
    templates = Templates(SHIPPED)
    assert templates.render_sms("invoice_issued/en", written) == templates.render_sms(
        "invoice_issued/en", VALUES
    )


@pytest.mark.parametrize("name", ["organisation", "invoice"])
def test_the_shipped_template_is_not_sent_without_what_it_names(name: str) -> None:
    values = {key: value for key, value in VALUES.items() if key != name}
    with pytest.raises(TemplateProblem, match=f"invoice_issued/en/sms.txt line .*{name}"):
        Templates(SHIPPED).render_sms("invoice_issued/en", values)


@pytest.mark.parametrize("field", ["number", "amount_due"])
@pytest.mark.parametrize("nothing", ["", None, "\u200b"])
def test_f061_the_shipped_template_is_not_sent_with_an_empty_field(field: str, nothing: object) -> None:
    with pytest.raises(TemplateProblem, match=f"invoice.{field} is empty"):
        Templates(SHIPPED).render_sms("invoice_issued/en", invoice(**{field: nothing}))


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("Hi {{ contact_first_name | default('there') }}", "Hi there"),
        ("{{ organisation | upper }}", "HARBOUR JOINERY LTD"),
        ("{{ organisation | first_words(2) }}", "Harbour Joinery"),
        ("{{ invoice.total | money(invoice.currency) }}", "$1,234.50"),
        ("{{ invoice.due_on | day }}", "20 Dec 2026"),
        ("{% if link %}x{% else %}y{% endif %}", "y"),
        ("{% if not link %}x{% elif organisation %}y{% endif %}", "x"),
        ("{% for line in lines %}{{ line.text }} {% endfor %}", "one two"),
        ("a\n\n  b\tc\r\n", "a b c"),
        ("{# hidden #}a{% raw %}{{ b }}{% endraw %}", "a{{ b }}"),
        ("<b>&", "<b>&"),
        ("{{ nobody | default('x') }}", "x"),
    ],
)
def test_what_a_template_may_say(tmp_path: Path, template: str, text: str) -> None:
    assert render(tmp_path, template) == text


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("a\n{{ foo }}", "kind/sms.txt line 2: there is no field foo"),
        ("\n\n{{ invoice.nope }}", "line 3: there is no field invoice.nope"),
        ("{{ foo.bar }}", "there is no field foo"),
        ("{% for x in foo %}{% endfor %}", "there is no field foo"),
        ("{% if foo %}{% endif %}", "there is no field foo"),
        ("Hi {{ contact_first_name }},", "the field contact_first_name is empty"),
        ("{{ invoice.reference }}", "the field invoice.reference is empty"),
        ("{{ contact_first_name | upper }}", "the field contact_first_name is empty"),
        ("{{ contact_first_name | default('') }}", "empty"),
        ("{{ contact_first_name.x }}", "the field contact_first_name is empty"),
        ("{{ invoice }}", "a whole group"),
        ("{{ lines }}", "a whole group"),
        ("{{ invoice.total }}", "without the filter"),
        ("{{ invoice.due_on }}", "without the filter"),
        ("{{ invoice.total | money }}", "money(invoice.currency)"),
        ("{{ organisation | day(1) }}", "cannot be rendered"),
        ("{{ organisation | first_words(0) }}", "needs a count"),
        ("{{ invoice.total | upper }}", "needs a text"),
        ("{{ organisation | bold }}", "there is no filter bold"),
        ("{% if organisation %}", "line 1"),
        ("{{ organisation", "line 1"),
        ("   ", "says nothing"),
        ("x" * 9000, "larger"),
        ("x" * 1601, "1600"),
    ],
)
def test_a_problem_names_template_line_and_field(tmp_path: Path, template: str, said: str) -> None:
    problem = refused(tmp_path, template)
    assert "kind/sms.txt" in problem
    assert said in problem


def test_a_loop_is_stopped_at_the_limit_and_not_behind_it(tmp_path: Path) -> None:
    loop = "{% for a in lines %}" + "x" * 7000 + "{% endfor %}"
    assert "49152 bytes" in refused(tmp_path, loop, {"lines": [{"text": "one"}] * 50})


def test_the_keys_of_a_group_win_over_the_methods_of_a_dict(tmp_path: Path) -> None:
    assert render(tmp_path, "{{ g.items }}", {"g": {"items": "mine"}}) == "mine"


@pytest.mark.parametrize(
    "value",
    [
        object(),
        b"bytes",
        1.5,
        True,
        datetime(2026, 1, 1, tzinfo=UTC),
        {1, 2},
        lambda: 1,
        Decimal("NaN"),
        10**7,
        {"deep": {"deep": {"deep": {"deep": "x"}}}},
        ["x"] * 51,
        Link("javascript:alert(1)"),
        Link("https://x.test/ y"),
        Link("https://x.test/\u202e"),
        Link("https://x.test/" + "y" * 1000),
    ],
)
def test_a_value_that_is_not_plain_is_refused_by_its_place(tmp_path: Path, value: object) -> None:
    problem = refused(tmp_path, "x", {"group": {"field": value}})
    assert "group.field" in problem


def test_a_problem_repeats_no_value_and_survives_pickling(tmp_path: Path) -> None:
    secret = "Planted Name"
    for template in (
        "{{ a | day(1) }}",
        "{{ a | first_words(0) }}",
        "{{ a.b }}",
        "{{ a | money }}{{ b }}",
        "{{ g }}",
    ):
        file = tmp_path / "kind" / "sms.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(template)
        with pytest.raises(TemplateProblem) as caught:
            Templates(tmp_path).render_sms("kind", {"a": secret, "g": {"x": secret}})
        assert secret not in str(caught.value)
        assert caught.value.__suppress_context__
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("kind", ["", "..", "../etc", "/etc", "a/b", "A", "a.b", "a__b", "_a", "none_there"])
def test_a_kind_is_a_folder_of_the_templates_and_nothing_else(tmp_path: Path, kind: str) -> None:
    with pytest.raises(TemplateProblem):
        Templates(tmp_path).render_sms(kind, {})


def test_a_template_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kind").mkdir()
    (tmp_path / "kind" / "sms.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(TemplateProblem, match="UTF-8"):
        Templates(tmp_path).render_sms("kind", {})


def test_an_edited_template_counts_at_once_and_can_be_checked_alone(tmp_path: Path) -> None:
    assert render(tmp_path, "one") == "one"
    assert render(tmp_path, "two") == "two"
    Templates(SHIPPED).check("invoice_issued/en")
    (tmp_path / "kind" / "sms.txt").write_text("{{ 1 + 1 }}")
    with pytest.raises(TemplateProblem):
        Templates(tmp_path).check("kind")
