"""Numbers as networks still write them, although their country dials them otherwise now."""

import re

_MEXICAN_MOBILE = re.compile(r"\+521([0-9]{10})")


def as_dialled_now(e164: str) -> str:
    """The number by which somebody is texted who writes from this one.

    Mexico gave up the 1 before its mobiles in 2019: we text +52 55 1234 5678, and the answer, such as STOP,
    may come from +521 55 1234 5678 (github.com/daddyz/phonelib/issues/254). No number of today is so long.
    """
    return _MEXICAN_MOBILE.sub(r"+52\1", e164) if _MEXICAN_MOBILE.fullmatch(e164) else e164
