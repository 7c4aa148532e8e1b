"""How the commands speak: whole sentences, mistakes in red, and lines that carry their time.

Whatever comes from outside (names, paths, errors) is printed as it is: rich would take ``[…]`` in it for its
own markup.
"""

import sys

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

TIME_WIDTH = 8


def make_console() -> Console:
    """The console of a command. Into a file or a pipe no line is broken, so that it can be searched."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def note(console: Console, text: str) -> None:
    """A line about what is being done."""
    console.print(Text(text, style="dim"))


def complain(console: Console, problem: object) -> None:
    """What went wrong, in red."""
    console.print(Text(str(problem), style="red"))


def timed(console: Console, seconds: float, what: Text) -> None:
    """A line with its time before it; what does not fit goes on below, beside the time and not under it."""
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_column(width=TIME_WIDTH, justify="right", style="cyan", no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(f"{seconds:.2f} s", what)
    console.print(row)


def beside_time(console: Console, what: RenderableType) -> None:
    """Something that belongs to the line above it, under its words; unbroken, a box would cut them off."""
    console.print(Padding(what, (0, 0, 0, TIME_WIDTH + 2)), soft_wrap=False)
