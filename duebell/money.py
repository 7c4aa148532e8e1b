"""Amounts and days as a customer reads them."""

import re
from datetime import date
from decimal import Decimal, localcontext

from babel.dates import format_skeleton
from babel.localedata import locale_identifiers
from babel.numbers import format_currency

from duebell.countries import region_of

KNOWN_LOCALES = frozenset(locale_identifiers())
CODE_BEFORE_DIGIT = re.compile(r"(?<=[A-Za-z])(?=\d)")
NO_BREAK_SPACES = str.maketrans("\u00a0\u202f", "  ")


def format_amount(amount: Decimal, currency: str, locale: str) -> str:
    """The amount with its currency's symbol as that locale writes it: ``$1,234.50``, ``CHF 10.00``.

    Shows at least the currency's usual decimals and never fewer than the amount has. A currency code that is
    not known stands as it is. Raises ``ValueError`` without a currency, or for an amount that is no number.
    """
    if not currency or not amount.is_finite():
        raise ValueError("an amount needs a currency and a finite number")
    with localcontext() as context:
        context.prec = max(28, len(amount.as_tuple().digits) + abs(amount.adjusted()) + 8)
        text = format_currency(amount, currency.upper(), locale=locale, decimal_quantization=False)
    # One no-break space turns an SMS of 160 characters into one of 70: it is not in the GSM alphabet.
    return CODE_BEFORE_DIGIT.sub(" ", text.translate(NO_BREAK_SPACES))


def format_day(day: date, locale: str) -> str:
    """The day with its month in letters (``2 Sept 2026``): who reads 02/09 may mean either of two days."""
    return format_skeleton("yMMMd", day, locale=locale).translate(NO_BREAK_SPACES)


def locale_for(country: str) -> str:
    """The English locale of a country by its name or code (``New Zealand`` gives ``en_NZ``), else ``en``."""
    locale = f"en_{region_of(country)}"
    return locale if locale in KNOWN_LOCALES else "en"
