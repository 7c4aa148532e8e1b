"""Where the keys of a TOML file stand: every one that ``tomllib`` finds, on the line on which it is begun."""

import contextlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from hypothesis import example, given, settings
from hypothesis import strategies as st

from duebell.policy_file.toml_lines import Place, lines_of

SHIPPED = Path(__file__).resolve().parents[1] / "deployments" / "policy.toml"
AWKWARD = r"""# [no] header = 1
a = 1 # [b]
[s."q.r".t]
x = [
  1, # one ]
  { y = '''
 many = [ lines ] } = ''', z.w = 1.5 },
  [ 3,
4],
]
[[aa]]
b = 1979-05-27T07:32:00Z
[aa.sub]
"k y" = "a \" ] quote"
[[aa]]
[[aa.c]]
"d\u0041" = 2
"""


def places(value: object, here: Place = ()) -> Iterator[Place]:
    if here:
        yield here
    if isinstance(value, dict):
        for key, inside in cast("dict[str, Any]", value).items():
            yield from places(inside, (*here, key))
    if isinstance(value, list):
        for number, inside in enumerate(cast("list[Any]", value)):
            yield from places(inside, (*here, number))


def test_awkward_toml_is_found_line_by_line() -> None:
    lines = lines_of(AWKWARD)
    assert set(lines) == set(places(tomllib.loads(AWKWARD)))
    assert lines["a",] == 2
    assert lines["s", "q.r", "t", "x", 1, "y"] == 6
    assert lines["s", "q.r", "t", "x", 1, "z", "w"] == 7
    assert lines["s", "q.r", "t", "x", 2, 1] == 9
    assert lines["aa", 0, "sub", "k y"] == 14
    assert lines["aa", 1] == 15
    assert lines["aa", 1, "c", 0, "dA"] == 17


def test_every_key_of_the_shipped_policy_is_found_also_with_the_ends_of_lines_of_windows() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    lines = lines_of(text)
    assert set(lines) == set(places(tomllib.loads(text)))
    assert lines == lines_of(text.replace("\n", "\r\n"))
    numbered = text.splitlines()
    for place, line in lines.items():
        key = place[-1]
        assert isinstance(key, int) or str(key) in numbered[line - 1]


SIGNS = ["a", "b", '"c d"', "'e'", ".", "=", "[", "]", "[[", "]]", "{", "}", ",", " ", "# x", "1", "1.5"]
LINES = ["\n", "a = 1\n", "[a]\n", "[[b]]\n", "b = [1,\n 2]\n", '"""\n"""', "'''a\n'''", '"\\""', "{ a = 1 }"]


@given(st.lists(st.sampled_from(SIGNS + LINES), max_size=14).map("".join))
@settings(max_examples=600)
@example('a = """\n"""""\nb = 1')
@example("a.b.c = { d.e = [ [], { f = 1 } ] }")
def test_whatever_tomllib_reads_is_found_whole(text: str) -> None:
    with contextlib.suppress(tomllib.TOMLDecodeError):
        read = tomllib.loads(text)
        assert set(lines_of(text)) == set(places(read))
