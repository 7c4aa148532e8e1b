"""What a command prints is whole, on a screen and into a pipe."""

import io

from rich.console import Console
from rich.panel import Panel

from deployments.terminal import beside_time

MESSAGE = (
    "Kauri Test Limited: invoice INV-0001 for $1,419.68 is due on 12 December 2026. Thank you, and see you."
)


def test_a_message_in_its_box_is_shown_whole_into_a_pipe_too() -> None:
    pipe = io.StringIO()
    beside_time(Console(file=pipe, width=80, soft_wrap=True), Panel(MESSAGE, expand=False))
    words = " ".join(pipe.getvalue().replace("│", " ").split())
    assert MESSAGE in words
