"""Where settings come from: the environment and a ``.env`` file, read as raw text."""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from duebell.setting_needs import Problem
from duebell.setting_shapes import did_you_mean

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ENV_FILE = Path(".env")
CHOICE_OF_FILE = "DUEBELL_ENV_FILE"
"""Names another file than ``.env``; ``none`` for no file at all, as the demo has it."""

OUR_PREFIXES = ("DUEBELL_", "XERO_", "TWILIO_", "EMAIL_", "SENDGRID_")


@dataclass(frozen=True, slots=True)
class Sources:
    """The raw text of every variable that is set, where it was found, and what could not be read."""

    values: Mapping[str, str] = field(repr=False)
    origins: Mapping[str, str]
    problems: tuple[Problem, ...] = ()


def read_sources(known: Collection[str], environ: Mapping[str, str] | None, env_file: Path | None) -> Sources:
    """Collect which of the known variables are set, without judging them; the environment wins."""
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    environ = os.environ if environ is None else environ
    chosen = _chosen(env_file, environ)
    from_file, problems = _read_env_file(chosen, known)
    if chosen is not env_file and chosen is not None and not chosen.is_file():
        # Without its settings a command would be about another installation, and would say that it is done.
        wrong = f"names {chosen}, where no file is"
        problems.append(Problem(CHOICE_OF_FILE, wrong, "Write its whole path, or none for no file at all"))
    for origin, found in ((".env file", from_file), ("environment", environ)):
        for name in known:
            if text := found.get(name, "").strip():
                values[name], origins[name] = text, origin
    return Sources(values, origins, tuple(problems))


def _chosen(env_file: Path | None, environ: Mapping[str, str]) -> Path | None:
    choice = environ.get(CHOICE_OF_FILE, "").strip()
    if env_file is not ENV_FILE or not choice:
        return env_file
    return None if choice == "none" else Path(choice)


def chosen_everywhere(environ: Mapping[str, str]) -> str:
    """The choice of the same file for a process in another folder, as this one finds it."""
    chosen = _chosen(ENV_FILE, environ)
    return "none" if chosen is None or not chosen.is_file() else str(chosen.absolute())


def _read_env_file(env_file: Path | None, known: Collection[str]) -> tuple[dict[str, str], list[Problem]]:
    """Read without ``${...}`` interpolation: a dollar sign in a secret is a dollar sign."""
    if env_file is None or not env_file.is_file():
        return {}, []
    try:
        stream = env_file.open(encoding="utf-8-sig")
        with stream:
            bindings = list(parse_stream(stream))
    except (OSError, UnicodeDecodeError):
        return {}, [Problem(str(env_file), "cannot be read", "Save it as UTF-8 text that this user may read")]
    # A line without = may hold a secret where the name belongs, so only its number is told.
    clear = [b for b in bindings if not b.error and NAME.fullmatch(b.key or "") and b.value is not None]
    problems = [
        Problem(f"{env_file} line {_line_of(b)}", "cannot be understood", "Write NAME=value on one line")
        for b in bindings
        if (b.error or b.key is not None) and b not in clear
    ]
    values = {str(b.key): str(b.value) for b in clear}
    strangers = [name for name in values if name.startswith(OUR_PREFIXES) and name not in known]
    problems += [Problem(n, "is no variable of Duebell", did_you_mean(n, known)) for n in strangers]
    return values, problems


def _line_of(binding: Binding) -> int:
    """A binding begins with the blank lines before it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
