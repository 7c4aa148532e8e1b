"""The answer to a consent, at the receiver and in the ledger: taken once, and shown to nobody."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlmodel import select
from starlette.applications import Starlette

from deployments.receiver.app import make_app
from duebell.connecting.consent_answer import CALLBACK_PATH, PURPOSE, brought_back, hash_of, keep_answer
from duebell.ledger import consents
from duebell.ledger.consents import carry_over, goes_over, token_set_id_for
from duebell.ledger.engine import reading
from duebell.ledger.tables import Audit, Consent, Tenant, TokenSet
from duebell.ledger.writing import writing
from duebell.vault import Vault
from tests.support_facts import MINUTE, NOW, OTHER_TENANT, TENANT, at_once
from tests.support_receiver import ask, parts

STATE = "a-state-that-nobody-guesses-0123456789-ABCDE"
CODE = "a-code-of-xero"
KEY = Fernet.generate_key().decode()
ALICE, BOB = "11111111-aaaa-4bbb-8ccc-000000000001", "11111111-aaaa-4bbb-8ccc-000000000002"


def vault() -> Vault:
    return Vault([SecretStr(KEY)])


def asked(engine: Engine, state: str = STATE) -> str:
    """A consent that a person is being asked for, for a quarter of an hour; its hash."""
    sealed = vault().seal(PURPOSE, hash_of(state), {"verifier": "v"})
    consents.ask(engine, hash_of(state), sealed, "http://localhost/x", expires=NOW + 15 * MINUTE, now=NOW)
    return hash_of(state)


def row(engine: Engine, state: str = STATE) -> Consent:
    with reading(engine) as session:
        return session.get_one(Consent, hash_of(state))


@pytest.fixture
def app(ledger: Engine, tmp_path: Path) -> Starlette:
    return make_app(parts(ledger, DUEBELL_HOME=str(tmp_path), DUEBELL_ENCRYPTION_KEYS=KEY))


def callback(app: Starlette, method: str = "GET", **query: str) -> httpx.Response:
    return ask(app, method, f"{CALLBACK_PATH}?{urlencode(query)}")


def test_the_code_is_kept_sealed_beside_the_verifier(ledger: Engine, app: Starlette) -> None:
    asked(ledger)
    answer = callback(app, state=STATE, code=CODE, scope="x", session_state="y")
    assert answer.status_code == 200
    kept = row(ledger)
    assert CODE not in kept.sealed
    assert vault().open(PURPOSE, kept.state_hash, kept.sealed) == {"verifier": "v", "code": CODE}
    assert (kept.answered_at, kept.used_at, kept.refused_why) == (NOW, None, "")


def test_every_page_is_plain_short_lived_and_repeats_nothing(ledger: Engine, app: Starlette) -> None:
    asked(ledger)
    asked(ledger, STATE + "2")
    answers = [
        callback(app, state=STATE, code=CODE),
        callback(app, state=STATE, code=CODE),
        callback(app, state=STATE + "2", error="access_denied", error_description=CODE),
        callback(app),
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 200, 400]
    for answer in answers:
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert not {"set-cookie", "location"} & set(answer.headers)
        assert not any(word in answer.text for word in (STATE, CODE, "access_denied", "<script", "<img"))
    assert row(ledger, STATE + "2").refused_why == "access_denied"


def test_only_a_get_is_an_answer(ledger: Engine, app: Starlette) -> None:
    asked(ledger)
    for method in ("HEAD", "POST", "PUT", "OPTIONS"):
        refused = callback(app, method, state=STATE, code=CODE)
        assert (refused.status_code, refused.text) == (405, "")
        assert "GET" in refused.headers["allow"]
    assert row(ledger).answered_at is None
    assert callback(app, state=STATE, code=CODE).status_code == 200


def test_an_answer_is_taken_until_its_time_is_over_and_not_longer(ledger: Engine) -> None:
    asked(ledger)
    answer = brought_back(urlencode({"state": STATE, "code": CODE}))
    assert answer is not None
    assert not keep_answer(ledger, vault(), answer, now=NOW + 15 * MINUTE)
    assert row(ledger).answered_at is None
    assert keep_answer(ledger, vault(), answer, now=NOW + 14 * MINUTE)


def test_of_many_answers_at_once_one_is_kept_and_of_many_users_one_uses_it(ledger: Engine) -> None:
    state_hash = asked(ledger)
    answers = [brought_back(urlencode({"state": STATE, "code": f"code-{number}"})) for number in range(6)]

    def keep(number: int) -> bool:
        answer = answers[number]
        assert answer is not None
        return keep_answer(ledger, vault(), answer, now=NOW)

    assert sorted(at_once(6, keep)) == [False] * 5 + [True]
    used = at_once(6, lambda _number: consents.use(ledger, state_hash, now=NOW))
    assert sum(one is not None for one in used) == 1
    assert row(ledger).sealed == ""
    with reading(ledger) as session:
        answered = session.exec(select(Audit).where(Audit.action == "consent answered")).all()
    assert len(answered) == 1


def test_a_consent_that_nobody_answered_cannot_be_used(ledger: Engine) -> None:
    state_hash = asked(ledger)
    assert consents.use(ledger, state_hash, now=NOW) is None
    assert consents.use(ledger, hash_of("another"), now=NOW) is None
    assert row(ledger).sealed


def test_a_consent_that_is_long_over_is_forgotten_at_the_next(ledger: Engine) -> None:
    asked(ledger)
    later = NOW + timedelta(days=2)
    consents.ask(ledger, "h" * 64, "sealed", "http://localhost/x", expires=later, now=later)
    with reading(ledger) as session:
        assert session.exec(select(Consent.state_hash)).all() == ["h" * 64]


@pytest.mark.parametrize(
    "query",
    [
        "",
        f"code={CODE}",
        f"state={STATE}",
        f"state={STATE}&code=",
        f"state={STATE}&code={CODE}&code={CODE}",
        f"state={STATE}&state={STATE}&code={CODE}",
        f"state={STATE}&code={CODE}&error=access_denied",
        f"state={STATE[:19]}&code={CODE}",
        f"state={STATE}%00&code={CODE}",
        f"state={STATE}&code=two%20words",
        f"state={STATE}&code={'c' * 2049}",
        "&".join([f"state={STATE}", f"code={CODE}", *(f"p{number}=1" for number in range(30))]),
    ],
)
def test_what_xero_would_not_send_is_no_answer(query: str) -> None:
    assert brought_back(query) is None


def test_a_code_and_a_word_are_read_and_a_strange_word_becomes_unknown() -> None:
    good = brought_back(f"state={STATE}&code=a%2Fb&scope=x")
    assert good is not None
    assert (good.state_hash, good.code.get_secret_value(), good.refused_why) == (hash_of(STATE), "a/b", "")
    denied = brought_back(f"error=access_denied&state={STATE}")
    strange = brought_back(f"error=%3Cb%3E&state={STATE}")
    assert denied is not None
    assert strange is not None
    assert (denied.refused_why, strange.refused_why) == ("access_denied", "unknown")


@given(st.text(max_size=300))
def test_no_query_whatever_raises_or_shows_itself(query: str) -> None:
    found = brought_back(query)
    assert found is None or query not in repr(found)


APP = "authorization_code:APP"


OF_ALICE, OF_BOB = f"{APP}:user:{ALICE}", f"{APP}:user:{BOB}"


@pytest.mark.parametrize(
    ("current", "state", "new", "rests_on"),
    [
        (OF_ALICE, "valid", OF_ALICE, OF_ALICE),
        (OF_ALICE, "valid", OF_BOB, OF_ALICE),
        (OF_ALICE, "refused", OF_BOB, OF_BOB),
        (f"authorization_code:OLD:user:{ALICE}", "valid", OF_BOB, OF_BOB),
        (f"{APP}:one-of-its-own", "valid", OF_BOB, OF_BOB),
        (OF_ALICE, "valid", f"{APP}:one-of-its-own", f"{APP}:one-of-its-own"),
        ("client_credentials:APP", "valid", OF_BOB, OF_BOB),
    ],
)
def test_a_tenant_moves_to_the_newest_consent_unless_another_person_s_still_opens_it(
    current: str, state: str, new: str, rests_on: str
) -> None:
    moves = goes_over(current, new, sound=state == "valid")
    assert (new if moves else current) == rests_on


def test_a_set_is_named_after_the_person_or_is_one_of_its_own() -> None:
    assert token_set_id_for("APP", ALICE) == f"{APP}:user:{ALICE}"
    assert token_set_id_for("APP", "") != token_set_id_for("APP", "")


def test_tenants_are_carried_over_and_what_nothing_rests_on_is_emptied(ledger: Engine) -> None:
    old, new = f"{APP}:one", f"{APP}:two"
    with writing(ledger, NOW) as book:
        for token_set_id in (old, new):
            kept = TokenSet(token_set_id=token_set_id, grant="g", expires_at=NOW, refreshed_at=NOW)
            kept.sealed = "sealed"
            book.session.add(kept)
        book.session.flush()
        for tenant_id, state in ((TENANT, "refused"), (OTHER_TENANT, "connected")):
            book.session.add(Tenant(tenant_id=tenant_id, token_set_id=old, state=state, connected_at=NOW))
    assert carry_over(ledger, new, [TENANT, "unknown"], now=NOW) == (TENANT,)
    standing = {
        tenant.tenant_id: (token_set.sealed, tenant.state) for token_set, tenant in consents.standing(ledger)
    }
    assert standing == {TENANT: ("sealed", "connected"), OTHER_TENANT: ("sealed", "connected")}
    carry_over(ledger, new, [TENANT, OTHER_TENANT], now=NOW)
    with reading(ledger) as session:
        emptied = session.get_one(TokenSet, old)
        carried = session.exec(select(Audit).where(Audit.action == "tenant carried over")).all()
    assert (emptied.state, emptied.sealed) == ("replaced", "")
    assert {entry.subject_id for entry in carried} == {TENANT, OTHER_TENANT}
    assert len(carried) == 2
