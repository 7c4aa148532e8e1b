"""An organisation as a person says which one is meant: by its name as they read it, or by its id in Xero."""

import unicodedata
from collections.abc import Sequence

from duebell.errors import ConfigurationError
from duebell.ledger.tables import Tenant


def meant(given: str, those: Sequence[Tenant]) -> list[Tenant]:
    """The one of those with this name or id; nothing where none has it.

    Raises ``ConfigurationError`` where several have the name: what is meant for one must not happen to both.
    """
    found = [one for one in those if given.strip().lower() == one.tenant_id.lower()]
    found = found or [one for one in those if is_named(given, one.name)]
    if len(found) > 1:
        ids = ", ".join(one.tenant_id for one in found)
        raise ConfigurationError(
            f"{len(found)} organisations are named {given.strip()!r}: give the id of one ({ids}); "
            "nothing was changed"
        )
    return found


def the_one_meant(given: str, those: Sequence[Tenant]) -> Tenant:
    """The same, where there has to be one. Raises ``ConfigurationError`` too where none has it."""
    found = meant(given, those)
    if not found:
        names = ", ".join(repr(one.name) for one in those) or "none"
        raise ConfigurationError(
            f"{given.strip()!r} is no organisation that the ledger knows, but {names}: nothing was changed"
        )
    return found[0]


def is_named(given: str, name: str) -> bool:
    """Whether that is the name, but for what nobody sees: blanks around it, doubled or unbreakable ones.

    A name in Xero may end in a blank, and a letter with an accent has two ways to be written.
    """
    return _as_read(given) == _as_read(name)


def _as_read(text: str) -> str:
    shown = (one for one in unicodedata.normalize("NFC", text) if unicodedata.category(one) != "Cf")
    return " ".join("".join(shown).split())
