"""An answer is bounded in time and size, and no failure carries the token away."""

import gzip
import pickle
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duebell.errors import BadAnswer, DuebellError, Transient
from duebell.xero.transfer import (
    Answer,
    AnswerTooLarge,
    AnswerTooSlow,
    Bounds,
    exchange,
    make_http_client,
)

TOKEN = "a.secret.token"


def ask(response: httpx.Response | Exception, bounds: Bounds | None = None) -> Answer:
    def handler(request: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    request = httpx.Request("GET", "https://api.xero.test/x", headers={"Authorization": f"Bearer {TOKEN}"})
    with httpx.Client(transport=httpx.MockTransport(handler)) as http:
        return exchange(http, request, bounds or Bounds())


@dataclass
class Stopwatch:
    """A clock that a test moves."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def packed(body: bytes, encoding: str = "gzip") -> httpx.Response:
    return httpx.Response(200, content=iter([body]), headers={"Content-Encoding": encoding})


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=5))
def test_a_body_arrives_whole_packed_or_not(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    squeezed = gzip.compress(body)
    assert ask(httpx.Response(200, content=iter(pieces))).body == body
    assert ask(packed(squeezed)).body == body
    dripping = iter([squeezed[place : place + 1] for place in range(len(squeezed))])
    assert ask(httpx.Response(200, content=dripping, headers={"Content-Encoding": "gzip"})).body == body


def test_a_body_larger_than_one_unpacked_piece_arrives_whole() -> None:
    for size in (65_535, 65_536, 65_537, 1_000_000):
        assert len(ask(packed(gzip.compress(b" " * size))).body) == size


def test_a_dripping_body_is_cut_when_the_time_is_up() -> None:
    clock, sent = Stopwatch(), list[int]()

    def drip() -> Iterator[bytes]:
        for number in range(1_000):
            clock.seconds += 1.0
            sent.append(number)
            yield b" "

    with pytest.raises(AnswerTooSlow, match="longer than 10 s"):
        ask(httpx.Response(200, content=drip()), Bounds(within=10.0, monotonic=clock))
    assert len(sent) == 11


def test_a_body_beyond_the_cap_is_cut() -> None:
    sent = list[int]()

    def flood() -> Iterator[bytes]:
        for number in range(1_000_000):
            sent.append(number)
            yield b" " * 1_000

    with pytest.raises(AnswerTooLarge):
        ask(httpx.Response(200, content=flood()), Bounds(max_bytes=10_000))
    assert len(sent) == 11


def test_f037_a_gzip_bomb_is_cut_before_it_unfolds() -> None:
    bomb = gzip.compress(b"\x00" * 50_000_000)
    assert len(bomb) < 100_000
    with pytest.raises(AnswerTooLarge, match="larger than 10000000 bytes"):
        ask(packed(bomb))


@pytest.mark.parametrize(
    "response",
    [
        packed(b"not gzip at all"),
        packed(gzip.compress(b"cut short")[:-9]),
        packed(b"{}", "br"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_a_bad_answer(response: httpx.Response) -> None:
    with pytest.raises(BadAnswer):
        ask(response)


def test_an_empty_body_is_empty_even_when_called_packed() -> None:
    assert ask(packed(b"")).body == b""


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("late"),
        httpx.RemoteProtocolError("gone"),
        httpx.LocalProtocolError(f"Illegal header value b'Bearer {TOKEN}'"),
    ],
)
def test_a_failed_transport_is_transient_named_after_its_error_and_carries_no_token(error: Exception) -> None:
    with pytest.raises(Transient) as problem:
        ask(error)
    assert str(problem.value) == f"{type(error).__name__} while asking api.xero.test"
    assert problem.value.__cause__ is problem.value.__context__ is None
    assert TOKEN.encode() not in pickle.dumps(problem.value)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ReadTimeout("late"), AnswerTooSlow),
        (httpx.ConnectTimeout("nobody there"), Transient),
        (httpx.WriteTimeout("stuck"), Transient),
        (httpx.PoolTimeout("all taken"), Transient),
        (httpx.ConnectError("refused"), Transient),
        (httpx.ReadError("reset"), Transient),
    ],
)
def test_only_an_answer_that_does_not_come_is_too_slow(error: Exception, kind: type[Transient]) -> None:
    with pytest.raises(Transient) as problem:
        ask(error)
    assert type(problem.value) is kind
    assert type(pickle.loads(pickle.dumps(problem.value))) is kind


def test_f036_a_redirect_is_not_followed() -> None:
    answer = ask(httpx.Response(302, headers={"Location": "https://elsewhere.test/"}))
    assert (answer.status, answer.headers["location"]) == (302, "https://elsewhere.test/")


def test_an_answer_shows_nothing_of_its_body() -> None:
    answer = ask(httpx.Response(200, content=b"Ada Lovelace", headers={"X-Secret": "hidden"}))
    assert repr(answer) == "Answer(status=200)"


def test_the_client_that_is_made_trusts_no_environment_and_waits_for_nothing_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with make_http_client() as http:
        assert (http.trust_env, http.follow_redirects) == (False, False)
        assert None not in http.timeout.as_dict().values()


def test_an_answer_too_large_is_a_bad_answer_and_survives_pickling() -> None:
    problem = pickle.loads(pickle.dumps(AnswerTooLarge("the answer is larger than 5 bytes")))
    assert isinstance(problem, DuebellError)
    assert str(problem) == "the answer is larger than 5 bytes"
