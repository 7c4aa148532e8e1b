"""Templates and values that want more than to be read: each is refused, or is plain text."""

from pathlib import Path

import pytest

from duebell.errors import TemplateProblem
from duebell.render.rendering import Templates
from duebell.render.values import LONGEST_TEXT, clean_text

VALUES: dict[str, object] = {
    "organisation": "Harbour Joinery Ltd",
    "invoice": {"number": "INV-0042"},
    "lines": [{"text": "one"}, {"text": "two"}],
    "link": "",
}


def render(folder: Path, template: str, values: dict[str, object]) -> str:
    file = folder / "kind" / "sms.txt"
    file.parent.mkdir(exist_ok=True)
    file.write_text(template, encoding="utf-8")
    return Templates(folder).render_sms("kind", values)


DEEP = "{% if link %}" * 200 + "{% endif %}" * 200
PAYLOADS = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ organisation.__class__ }}",
    "{{ invoice.__class__ }}",
    "{{ invoice.__init__.__globals__ }}",
    "{{ invoice._secret }}",
    "{{ invoice['number'] }}",
    "{{ invoice.items() }}",
    "{{ invoice.pop('number') }}",
    "{{ invoice.update }}",
    "{{ organisation.upper }}",
    "{{ organisation.format(1) }}",
    "{{ '%s' % organisation }}",
    "{{ '{0.__class__}'.format(organisation) }}",
    "{{ organisation | attr('__class__') }}",
    "{{ organisation | map('upper') }}",
    "{{ organisation | format(1) }}",
    "{{ organisation | center(1000000000) }}",
    "{{ organisation | pprint }}",
    "{{ organisation | safe }}",
    "{{ lines | join(organisation) }}",
    "{{ lines | sum }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner }}",
    "{{ lipsum.__globals__ }}",
    "{{ namespace() }}",
    "{{ range(10) }}",
    "{{ dict(a=1) }}",
    "{{ self }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ config }}",
    "{{ request.application }}",
    "{{ environment }}",
    "{{ context }}",
    "{{ loop }}",
    "{{ super() }}",
    "{{ caller() }}",
    "{{ 'a' * 10 ** 9 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ 9 ** (9 ** 8) }}",
    "{{ 1 + 1 }}",
    "{{ -invoice.total }}",
    "{{ 1 // 0 }}",
    "{{ 'a' ~ 'b' }}",
    "{{ 1 if organisation else 2 }}",
    "{{ organisation == 'x' }}",
    "{{ organisation is defined }}",
    "{{ organisation in lines }}",
    "{{ organisation and link }}",
    "{{ [1, 2, 3] }}",
    "{{ {'a': 1} }}",
    "{{ (1, 2) }}",
    "{{ organisation[0] }}",
    "{{ organisation[:2] }}",
    "{{ lines[0] }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "{% for a in lines %}{% for b in lines %}x{% endfor %}{% endfor %}",
    "{% for a in lines recursive %}{{ loop(lines) }}{% endfor %}",
    "{% for a in lines if a %}x{% endfor %}",
    "{% for a, b in lines %}x{% endfor %}",
    "{% for a in lines %}{{ loop.index }}{% endfor %}",
    "{% for _x in lines %}x{% endfor %}",
    "{% set x = 1 %}",
    "{% set x %}y{% endset %}",
    "{% macro x() %}{% endmacro %}",
    "{% call organisation() %}{% endcall %}",
    "{% filter upper %}x{% endfilter %}",
    "{% block x %}{% endblock %}",
    "{% extends 'other.txt' %}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% from 'os' import path %}",
    "{% with a = 1 %}{% endwith %}",
    "{% autoescape true %}{% endautoescape %}",
    "{% do 1 %}",
    "{% debug %}",
    "{{ organisation | money(**invoice) }}",
    "{{ organisation | money(*lines) }}",
    "{{ organisation | money(currency='NZD') }}",
    "{{ organisation | first_words(organisation.split()) }}",
    "{{ organisation" + " | upper" * 500 + " }}",
    "{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}",
    "{{ " + "not " * 1500 + "link }}",
    "{{ " + "9" * 6000 + " }}",
    "{{ organisation }}" * 600,
    DEEP,
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_f063_f065_a_template_that_reaches_further_is_refused(tmp_path: Path, payload: str) -> None:
    with pytest.raises(TemplateProblem, match=r"^kind/sms\.txt"):
        render(tmp_path, payload, VALUES)


@pytest.mark.parametrize("payload", [p for p in PAYLOADS if "upper" not in p and len(p) <= LONGEST_TEXT])
def test_a_value_is_text_whatever_it_says(tmp_path: Path, payload: str) -> None:
    assert render(tmp_path, "<{{ organisation }}>", {"organisation": payload}) == f"<{clean_text(payload)}>"


def test_f064_a_value_is_not_rendered_a_second_time(tmp_path: Path) -> None:
    assert (
        render(tmp_path, "{{ organisation }}", {"organisation": "{{ 7*7 }}{% if a %}"})
        == "{{ 7*7 }}{% if a %}"
    )
