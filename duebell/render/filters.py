"""The filters that a template may use: how amounts and days are written, and little more."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from jinja2 import Undefined, pass_context
from jinja2.runtime import Context

from duebell import languages, money
from duebell.bidi import isolated
from duebell.errors import TemplateProblem
from duebell.render.places import marked
from duebell.render.values import Blank, Defanged, Fields, Link

COUNT = "#"
"""Stands for the count itself in the forms of a plural, as in ICU's messages."""


def refuse_blank(value: object) -> None:
    """Raise ``TemplateProblem`` for a field that is there but empty."""
    if isinstance(value, Blank):
        raise TemplateProblem(f"the field {value.place} is empty; guard it with if, or with default")


@pass_context
def _money(context: Context, amount: object, currency: object = "") -> str:
    refuse_blank(amount)
    if isinstance(amount, str):  # the caller wrote it out already
        return amount
    if not isinstance(amount, Decimal) or not isinstance(currency, str) or not currency:
        raise TemplateProblem("money is written like this: invoice.total | money(invoice.currency)")
    return money.format_amount(amount, currency, _locale(context))


@pass_context
def _day(context: Context, day: object) -> str:
    refuse_blank(day)
    if isinstance(day, str):  # the caller wrote it out already
        return day
    if not isinstance(day, date):
        raise TemplateProblem("the filter day needs a date, such as invoice.due_on")
    return money.format_day(day, _locale(context))


@pass_context
def _plural(context: Context, count: object, **forms: str) -> str:
    refuse_blank(count)
    if type(count) is not int:
        raise TemplateProblem("the filter plural needs a count, such as invoice.days_late")
    locale = _locale(context)
    form = forms.get(languages.plural_form(count, locale), forms[languages.OTHER])
    return form.replace(COUNT, money.format_count(count, locale))


def _upper(text: object) -> str:
    return _text(text, "upper").upper()


def _first_words(text: object, count: object = 1) -> str:
    if type(count) is not int or not 0 < count < 100:
        raise TemplateProblem("first_words needs a count, such as first_words(3)")
    return " ".join(_text(text, "first_words").split()[:count])


def _default(value: object, instead: object = "") -> object:
    return instead if isinstance(value, Undefined) or value == "" else value


def _text(value: object, name: str) -> str:
    refuse_blank(value)
    if isinstance(value, str) and value:
        return str(value)
    raise TemplateProblem(f"the filter {name} needs a text that is not empty")


def _locale(context: Context) -> str:
    locale = context.get("locale")
    return locale if locale in money.KNOWN_LOCALES else languages.ENGLISH_OF_THE_WORLD


@pass_context
def as_said(context: Context, value: object) -> object:
    """What is printed of a value. Nobody is to read "Hi ,": an empty field is printed only behind ``default``
    or an ``if``. A text keeps its own direction, and is marked until its place is known; a link stays as it
    is, for telephones take it to the blank.
    """
    refuse_blank(value)
    if isinstance(value, (Fields, tuple)):
        raise TemplateProblem("a whole group or list is printed where one of its fields is meant")
    if isinstance(value, (Decimal, date)):
        raise TemplateProblem("an amount or a day is printed without the filter money or day")
    if value == "":
        raise TemplateProblem("a field became empty through its filters")
    if not isinstance(value, str) or isinstance(value, Link):
        return value
    typed = value.typed if isinstance(value, Defanged) else ""
    return marked(isolated(value, right_to_left=languages.is_right_to_left(_locale(context))), typed)


FILTERS: dict[str, Callable[..., object]] = {
    "money": _money,
    "day": _day,
    "upper": _upper,
    "default": _default,
    "first_words": _first_words,
    "plural": _plural,
}
