"""The settings of who needs the ledger alone: the brake and reading must work whatever else is at fault."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from duebell.errors import ConfigurationError
from duebell.setting_sources import CHOICE_OF_FILE, ENV_FILE, OUR_PREFIXES, Sources, read_sources
from duebell.settings import VARIABLES, Settings, build, refusal

URL = "DUEBELL_DATABASE_URL"
PLACE = ("DUEBELL_HOME", URL)
OF_PROVIDERS = tuple(prefix for prefix in OUR_PREFIXES if prefix != "DUEBELL_")


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Where the ledger is, and what is wrong with the other settings: all of these are unset then.

    ``is_in_doubt``: a line that cannot be understood, or a name that is misspelt, may have said where it is.
    """

    settings: Settings
    faults: tuple[str, ...] = ()
    is_in_doubt: bool = False


def load_for_ledger(
    environ: Mapping[str, str] | None = None, env_file: Path | None = ENV_FILE
) -> LedgerSettings:
    """As ``load``, but a fault stands in the way only where it is of the ledger's place: it raises then."""
    sources = read_sources(VARIABLES, environ, env_file)
    settings, problems = build(sources, ())
    if settings is not None:
        return LedgerSettings(settings)
    if any(one.name in {*PLACE, CHOICE_OF_FILE} for one in problems):
        raise refusal(problems)
    may_be_of_the_place = [
        one for one in problems if one.name not in VARIABLES and not one.name.startswith(OF_PROVIDERS)
    ]
    return LedgerSettings(
        Settings.model_validate({name: sources.values[name] for name in PLACE if name in sources.values}),
        tuple(map(str, problems)),
        bool(may_be_of_the_place) and URL not in sources.values,
    )


def readable_url(url: str, option: str) -> SecretStr:
    """The URL of a ledger that a command was given. Raises ``ConfigurationError``, which names the option."""
    _, problems = build(Sources({URL: url}, {}, ()), ())
    for one in problems:
        raise ConfigurationError(f"{option} {one.wrong}. {one.mend}")
    return SecretStr(url)
