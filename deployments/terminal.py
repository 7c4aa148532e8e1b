"""How the commands speak: whole sentences, mistakes in red, and lines that carry their time.

Whatever comes from outside (names, paths, errors) is printed as what it is: rich would take ``[…]`` in it for
its own markup, and a terminal would obey what escape sequences tell it.
"""

import sys
from collections.abc import Iterable
from itertools import accumulate

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Span, Text

from duebell.visible import shown_each

TIME_WIDTH = 8


def make_console() -> Console:
    """The console of a command. Into a file or a pipe no line is broken, so that it can be searched."""
    return PlainConsole(highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty())


class PlainConsole(Console):
    """Shows every character that would act on the terminal as its escape, wherever it is printed."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What is printed passes here piece by piece, the cells of a table too."""
        if isinstance(renderable, str):
            renderable = self.render_str(renderable)
        return super().render(_shown(renderable) if isinstance(renderable, Text) else renderable, options)


def _shown(text: Text) -> Text:
    pieces = shown_each(text.plain)
    ends = [0, *accumulate(map(len, pieces))]
    shown = text.blank_copy("".join(pieces))
    shown.spans = [Span(ends[one.start], ends[one.end], one.style) for one in text.spans]
    return shown


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
