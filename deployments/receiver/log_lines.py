"""The receiver's log: one record, one line, whatever a caller managed to have named in it."""

import logging
from typing import TextIO


class OneLineEach(logging.Formatter):
    """Writes what is no visible character as its escape, so that nothing in a record can end its line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record and its traceback, as one line."""
        return "".join(map(_visible, super().format(record)))


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def one_line_each(stream: TextIO | None = None) -> logging.Handler:
    """A handler that writes such lines, to standard error unless told otherwise."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLineEach("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return handler
