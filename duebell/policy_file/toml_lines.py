"""On which line of a TOML file each key and each item stands; ``tomllib`` does not tell."""

import re
import tomllib
from dataclasses import dataclass, field

Place = tuple[str | int, ...]
"""The way to a value: keys, and for a list the number of the item from 0."""

TOKEN = re.compile(
    r"""(?P<text>\"\"\"(?:\\.|[^\\])*?\"{3,5}|'''.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
    r"|(?P<skip>[ \t\r]+|\#[^\n]*)|(?P<sign>[\[\]{}=.,\n])|(?P<word>[^\s\[\]{}=.,\#\"']+)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    line: int


def lines_of(text: str) -> dict[Place, int]:
    """The line, from 1, on which each value of a valid TOML text is begun; tables by their first mention."""
    reader = _Reader(_tokens(text.replace("\r\n", "\n")))
    while reader.is_open():
        reader.statement()
    return reader.found


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    line = 1
    for found in TOKEN.finditer(text):
        if found.lastgroup != "skip":
            tokens.append(_Token(found[0], line))
        line += found[0].count("\n")
    return tokens


@dataclass(slots=True)
class _Reader:
    """Reads what ``tomllib`` has accepted, so that it needs to tell only where a value begins and ends."""

    tokens: list[_Token]
    at: int = 0
    table: Place = ()
    found: dict[Place, int] = field(default_factory=dict[Place, int])
    items: dict[Place, int] = field(default_factory=dict[Place, int])

    def is_open(self) -> bool:
        return self.at < len(self.tokens)

    def sees(self, *signs: str) -> bool:
        return self.is_open() and self.tokens[self.at].text in signs

    def take(self) -> _Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def pass_over(self, *signs: str) -> None:
        while self.sees(*signs):
            self.at += 1

    def statement(self) -> None:
        """One line break, one header, or one key with its value."""
        if self.sees("\n"):
            self.take()
        elif self.sees("["):
            self.header()
        else:
            self.entry(self.table)

    def header(self) -> None:
        line = self.take().line
        many = self.sees("[")
        self.pass_over("[")
        keys = self.keys()
        self.pass_over("]")
        here: Place = ()
        for key in keys[:-1]:
            here = self.within((*here, key), line)
        here = (*here, keys[-1])
        self.found.setdefault(here, line)
        if many:
            self.items[here] = self.items.get(here, -1) + 1
            here = (*here, self.items[here])
            self.found[here] = line
        self.table = here

    def within(self, place: Place, line: int) -> Place:
        """The table itself, or the last one where there are several of its name."""
        self.found.setdefault(place, line)
        return (*place, self.items[place]) if place in self.items else place

    def keys(self) -> list[str]:
        keys = [_key(self.take().text)]
        while self.sees("."):
            self.take()
            keys.append(_key(self.take().text))
        return keys

    def entry(self, table: Place) -> None:
        line = self.tokens[self.at].line
        here = table
        for key in self.keys():
            here = (*here, key)
            self.found.setdefault(here, line)
        self.pass_over("=")
        self.value(here)

    def value(self, here: Place) -> None:
        if self.sees("["):
            self.take()
            self.list_items(here)
        elif self.sees("{"):
            self.take()
            while not self.sees("}"):
                self.entry(here)
                self.pass_over(",", "\n")
            self.take()
        else:
            while self.is_open() and not self.sees(",", "]", "}", "\n"):
                self.take()

    def list_items(self, here: Place) -> None:
        number = 0
        self.pass_over("\n")
        while not self.sees("]"):
            self.found[(*here, number)] = self.tokens[self.at].line
            self.value((*here, number))
            self.pass_over(",", "\n")
            number += 1
        self.take()


def _key(written: str) -> str:
    return str(tomllib.loads(f"key = {written}")["key"]) if written[0] in "\"'" else written
