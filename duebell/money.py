"""Amounts and days as a customer reads them."""

import re
from datetime import date
from decimal import Decimal, localcontext

from babel import Locale
from babel.dates import format_skeleton
from babel.localedata import locale_identifiers
from babel.numbers import (
    format_currency,
    format_decimal,
    get_currency_precision,
    get_currency_symbol,
    get_territory_currencies,
)

from duebell.languages import ENGLISH_OF_THE_WORLD

KNOWN_LOCALES = frozenset(locale_identifiers())
CODE_BEFORE_DIGIT = re.compile(r"(?<=[A-Za-z])(?=\d)")
IN_PLAIN_SIGNS = str.maketrans("\u00a0\u202f\u2019\u2212", "  '-")
"""One no-break space, or the apostrophe of Swiss thousands, turns an SMS of 160 characters into one of 70."""

DOLLAR = "$"


def format_amount(amount: Decimal, currency: str, locale: str) -> str:
    """The amount with its currency's symbol as that locale writes it: ``$1,234.50``, ``CHF 10.00``.

    A bare ``$`` is the dollar of the reader's own country, any other is named: ``US$``. Shows at least the
    currency's usual decimals and never fewer than the amount has. A currency code that is not known stands
    as it is. Raises ``ValueError`` without a currency, or for an amount that is no number.
    """
    if not currency or not amount.is_finite():
        raise ValueError("an amount needs a currency and a finite number")
    code = currency.upper()
    with localcontext() as context:
        context.prec = max(28, len(amount.as_tuple().digits) + abs(amount.adjusted()) + 8)
        text = format_currency(amount, code, locale=locale, decimal_quantization=False)
    if get_currency_symbol(code, locale) == DOLLAR and not _is_money_of(locale, code):
        text = text.replace(DOLLAR, get_currency_symbol(code, ENGLISH_OF_THE_WORLD))
    return CODE_BEFORE_DIGIT.sub(" ", text.translate(IN_PLAIN_SIGNS))


def with_code(amount: Decimal, currency: str) -> str:
    """The amount with its currency's code, as those write it who keep the books: ``10.125 KWD``."""
    return f"{in_decimals(amount, currency)} {currency}".rstrip()


def in_decimals(amount: Decimal, currency: str) -> str:
    """The bare amount, in the currency's usual decimals and never in fewer than it has."""
    own = f"{amount:f}".partition(".")[2].rstrip("0")
    return f"{amount:.{max(get_currency_precision(currency.upper()), len(own))}f}"


def format_count(number: int, locale: str) -> str:
    """A whole number with the locale's separators: ``1,250``."""
    return format_decimal(number, locale=locale).translate(IN_PLAIN_SIGNS)


def format_day(day: date, locale: str) -> str:
    """The day with its month in letters (``2 Sept 2026``): who reads 02/09 may mean either of two days."""
    return format_skeleton("yMMMd", day, locale=locale).translate(IN_PLAIN_SIGNS)


def _is_money_of(locale: str, currency: str) -> bool:
    """Whether the currency is that of the locale's own country, where it has one."""
    territory = Locale.parse(locale).territory or ""
    return currency in get_territory_currencies(territory)
