"""What others wrote acts on nothing: not on a terminal, not in a log, not in a page of Prefect's UI."""

import io
import logging
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deployments.terminal import PlainConsole, complain, note, timed
from deployments.worker import PlainRecord
from duebell.bidi import isolated
from duebell.visible import in_markdown, visible

LINK = "\x1b]8;;https://evil.example\x1b\\Aro Cafe\x1b]8;;\x1b\\"
NAMES = [
    "Aro Street Café",
    "Zoë & Söhne, “Haus”",
    "株式会社カウリ",
    "שלום בע״מ",
    "شركة الكوري",
    "فروشگاه می\u200cخواهم",  # noqa: RUF001 -- Persian joins with it
    "क्\u200dष Traders",
    "👩\u200d🌾 Farm",
    "[red] Hot [/red] :smile:",
    "C:\\new\\table",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_language_stays_as_it_is(name: str) -> None:
    assert visible(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[2J\x1b[31mred", "\\x1b[2J\\x1b[31mred"),
        (LINK, "\\x1b]8;;https://evil.example\\x1b\\Aro Cafe\\x1b]8;;\\x1b\\"),
        ("paid\rowed", "paid\\rowed"),
        ("bell\a back\b", "bell\\x07 back\\x08"),
        ("c1\x9b31m", "c1\\x9b31m"),
        ("turned\u202eround", "turned\\u202eround"),
        ("open\u2068isolate", "open\\u2068isolate"),
        ("forced\u2067within\u2069", "forced\\u2067within\\u2069"),
        ("line\u2028line", "line\\u2028line"),
        ("half\ud800", "half\\ud800"),
        ("tag\U000e0041", "tag\\U000e0041"),
    ],
)
def test_what_would_act_is_written_as_its_escape(name: str, shown: str) -> None:
    assert visible(name) == shown


def test_the_isolates_of_our_own_messages_stay() -> None:
    said = f"{isolated('INV-1', right_to_left=True)} שלום"
    assert said != "INV-1 שלום"
    assert visible(said) == said


@given(st.text())
def test_nothing_visible_is_a_control_and_twice_is_once(text: str) -> None:
    shown = visible(text)
    kinds = {unicodedata.category(one) for one in shown if one not in "\n\t"}
    assert kinds.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067")
    assert visible(shown) == shown


def printed(what: object) -> str:
    pipe = io.StringIO()
    PlainConsole(file=pipe, width=200, markup=False, emoji=False, highlight=False).print(what)
    return unfolded(pipe.getvalue())


def unfolded(text: str) -> str:
    """The text without what a box or a column adds, or breaks."""
    return "".join(one for one in text if one not in " \n│")


def a_cell(text: str) -> Table:
    table = Table("name" * 20, title=text)
    table.add_row(text)
    table.add_row(Text(text, "red"))
    return table


@pytest.mark.parametrize(
    "hostile", ["\x1b[2Jx", LINK, "x\x9b2Jy", "\u202ex", "[red]x[/red]", "[link=http://e]x"]
)
def test_the_console_lets_nothing_through_in_text_cells_titles_and_boxes(hostile: str) -> None:
    shown = unfolded(visible(hostile))
    for what in (hostile, Text(hostile, "bold"), Text.assemble(("a", "dim"), hostile), Panel(hostile)):
        assert shown in printed(what)
    assert printed(a_cell(hostile)).count(shown) == 3


def test_colours_stand_where_they_stood_behind_what_is_escaped() -> None:
    pipe = io.StringIO()
    console = PlainConsole(file=pipe, force_terminal=True, color_system="standard", width=200, markup=False)
    console.print(Text.assemble("\x1b[2J", ("red", "red"), " plain"))
    assert pipe.getvalue() == "\\x1b[2J\x1b[31mred\x1b[0m plain\n"


@pytest.mark.parametrize("say", [note, complain])
def test_sentences_and_mistakes_pass_the_same_way(say: Callable[[Console, str], None]) -> None:
    pipe = io.StringIO()
    say(PlainConsole(file=pipe, width=200), f"{LINK} is live")
    assert pipe.getvalue() == f"{visible(LINK)} is live\n"


def test_a_line_with_its_time_passes_the_same_way() -> None:
    pipe = io.StringIO()
    timed(PlainConsole(file=pipe, width=200), 1.0, Text(LINK))
    assert unfolded(visible(LINK)) in unfolded(pipe.getvalue())
    assert "\x1b" not in pipe.getvalue()


@pytest.mark.parametrize(
    ("number", "cell"),
    [
        ("INV-0042", "INV-0042"),
        ("INV_1/2026.3", "INV_1/2026.3"),
        ("[paid](https://evil.example)", "\\[paid\\](https\\://evil.example)"),
        ("<img src=x onerror=y>", "\\<img src=x onerror=y\\>"),
        ("**bold** _it_ `code`", "\\*\\*bold\\*\\* \\_it\\_ \\`code\\`"),
        ("a | b\n\n# head", "a \\| b # head"),
        ("# head", "\\# head"),
        ("1. one", "1\\. one"),
        ("www.evil.example", "www\\.evil.example"),
        ("\x1b[2J", "\\\\x1b\\[2J"),
    ],
)
def test_a_cell_of_the_ui_shows_a_number_as_it_stands(number: str, cell: str) -> None:
    assert in_markdown(number) == cell


def test_a_line_of_the_worker_s_log_shows_what_would_act() -> None:
    record = PlainRecord("duebell", logging.INFO, __file__, 1, "%s\nis left out", ("x\x1b[2J",), None)
    assert record.getMessage() == "x\\x1b[2J\nis left out"
