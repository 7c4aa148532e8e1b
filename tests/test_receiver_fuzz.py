"""Whatever comes in, the receiver answers with one of a few statuses, and never with a 500."""

import json
from collections.abc import Generator, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from deployments.receiver.app import make_app
from tests.support_ledger import copied
from tests.support_receiver import (
    TWILIO,
    XERO,
    ask,
    callback,
    connect_tenant,
    delivery,
    form,
    parts,
    signed_twilio,
    signed_xero,
    xero_event,
)

ALLOWED = {200, 204, 400, 401, 403, 404, 405, 408, 411, 413, 415, 431, 503}
fuzz = settings(
    max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def app(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Starlette]:
    engine = copied(migrated, tmp_path_factory.mktemp("fuzz"))
    connect_tenant(engine)
    yield make_app(parts(engine))
    engine.dispose()


NAMES = st.sampled_from(
    [
        "x-xero-signature",
        "x-twilio-signature",
        "content-type",
        "content-length",
        "host",
        "x-forwarded-for",
        "cookie",
    ]
)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=4)
PATHS = st.sampled_from([XERO, TWILIO, "/healthz", "/readyz", "/"]) | st.text(max_size=20).map(
    lambda text: "/" + quote(text, errors="replace")
)
METHODS = st.sampled_from(["POST", "POST", "POST", "GET", "HEAD", "PUT", "OPTIONS", "DELETE", "TRACE"])


@fuzz
@given(METHODS, PATHS, st.text("abn=&%+;#", max_size=10), st.binary(max_size=300), HEADERS)
def test_a_stranger_gets_one_of_a_few_statuses_and_no_words(
    app: Starlette, method: str, path: str, query: str, raw: bytes, headers: list[tuple[str, str]]
) -> None:
    spelt = [(name.encode(), value.strip().encode("latin-1")) for name, value in headers]
    answer = ask(app, method, f"{path}?{quote(query, safe='=&%+;')}", raw, spelt)
    assert answer.status_code in ALLOWED - {204}
    if answer.status_code != 200 and path != "/readyz":
        assert answer.content == b""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*xero_event(), "events", "x"]), inner, max_size=6)
    ),
    max_leaves=12,
)
EVENTS = st.lists(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(xero_event(), JSON)), max_size=3)


@fuzz
@given(
    JSON.map(lambda value: json.dumps(value).encode())
    | EVENTS.map(lambda events: delivery(*events))
    | st.binary()
)
def test_whatever_xero_signs_is_acknowledged(app: Starlette, raw: bytes) -> None:
    assert ask(app, "POST", XERO, raw, signed_xero(raw)).status_code == 200


@fuzz
@given(
    st.dictionaries(
        st.sampled_from([*callback(), "ErrorCode", "Else"]), st.text(st.characters(exclude_categories=["Cs"]))
    ),
    st.text("n=&-0aé\x00%", max_size=12).map(quote),
)
def test_whatever_twilio_signs_for_our_account_is_acknowledged(
    app: Starlette, changes: Mapping[str, str], query: str
) -> None:
    fields = {**callback(), **changes, "AccountSid": callback()["AccountSid"]}
    place = f"{TWILIO}?{query}" if query else TWILIO
    assert ask(app, "POST", place, form(fields), signed_twilio(fields, query)).status_code == 204
