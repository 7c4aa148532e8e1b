"""An organisation's name as a person types it, to say which one is meant."""

import unicodedata


def is_named(given: str, name: str) -> bool:
    """Whether that is the name, but for what nobody sees: blanks around it, doubled or unbreakable ones.

    A name in Xero may end in a blank, and a letter with an accent has two ways to be written.
    """
    return _as_read(given) == _as_read(name)


def _as_read(text: str) -> str:
    shown = (one for one in unicodedata.normalize("NFC", text) if unicodedata.category(one) != "Cf")
    return " ".join("".join(shown).split())
