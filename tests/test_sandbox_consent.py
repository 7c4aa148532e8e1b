"""The sandbox's consent page and connections are as strict as Xero's."""

import base64
import json
from collections.abc import Generator
from urllib.parse import urlencode

import httpx
import pytest

from deployments.sandbox.control import SandboxControl
from deployments.sandbox.credentials import TENANT_ID, XERO_CLIENT_ID, XERO_CLIENT_SECRET
from deployments.sandbox.server import running_sandbox
from deployments.sandbox.xero_people import PERSON, challenge_of

BACK = "http://localhost:8787/xero/callback"
READ = "offline_access accounting.invoices.read accounting.settings.read"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-1234567"
OTHER = "5a4db0c5-0000-4000-8000-000000000002"
SOMEBODY = "5a4db0c5-0000-4000-8000-00000000000b"
PAGE = "/identity/connect/authorize"


@pytest.fixture(scope="module")
def running() -> Generator[SandboxControl]:
    with running_sandbox() as control:
        yield control


@pytest.fixture
def sandbox(running: SandboxControl) -> SandboxControl:
    running.reset()
    running.add_tenant(OTHER, "Kea Street Roasters")
    return running


@pytest.fixture
def browser(sandbox: SandboxControl) -> Generator[httpx.Client]:
    with httpx.Client(base_url=sandbox.base_url, trust_env=False, timeout=60) as client:
        yield client


def question(**changes: str) -> dict[str, str]:
    asked = {
        "response_type": "code",
        "client_id": XERO_CLIENT_ID,
        "redirect_uri": BACK,
        "scope": READ,
        "state": "the state",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    }
    return {name: value for name, value in (asked | changes).items() if value}


def answered(browser: httpx.Client, *tenants: str, decision: str = "allow", **changes: str) -> httpx.URL:
    """Where the browser is sent after the form was posted."""
    form = [*question(**changes).items(), ("decision", decision), *(("tenant", one) for one in tenants)]
    answer = browser.post(
        PAGE,
        content=urlencode(form),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 302, answer.text
    return httpx.URL(answer.headers["location"])


def exchange(browser: httpx.Client, code: str, **changes: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
    return browser.post("/connect/token", data=form | changes, auth=(XERO_CLIENT_ID, XERO_CLIENT_SECRET))


def tokens_of(browser: httpx.Client, *tenants: str, **changes: str) -> dict[str, str]:
    answer = exchange(browser, answered(browser, *tenants, **changes).params["code"])
    assert answer.status_code == 200, answer.text
    return answer.json()


def bearer(tokens: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def listed(browser: httpx.Client, tokens: dict[str, str], query: str = "") -> list[dict[str, str]]:
    return browser.get(f"/connections{query}", headers=bearer(tokens)).json()


def refreshed(browser: httpx.Client, token: str) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return browser.post("/connect/token", data=form, auth=(XERO_CLIENT_ID, XERO_CLIENT_SECRET))


def claims(tokens: dict[str, str]) -> dict[str, object]:
    middle = tokens["access_token"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))


def test_the_page_offers_every_organisation_to_be_allowed_or_not(browser: httpx.Client) -> None:
    page = browser.get(PAGE, params=question())
    assert page.status_code == 200
    for part in (
        "Moa Bay Bakery Supplies",
        "Kea Street Roasters",
        TENANT_ID,
        'value="allow"',
        'value="deny"',
    ):
        assert part in page.text
    assert "<b>" not in browser.get(PAGE, params=question(state="<b>")).text


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"client_id": "another"}, "unauthorized_client"),
        ({"response_type": "token"}, "unauthorized_client"),
        ({"scope": "offline_access accounting.transactions"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"redirect_uri": f"{BACK}/"}, "invalid_redirect_uri"),
        ({"redirect_uri": "https://evil.example/xero/callback"}, "invalid_redirect_uri"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
    ],
)
def test_what_xero_refuses_is_an_error_page_and_never_a_redirect(
    browser: httpx.Client, changes: dict[str, str], word: str
) -> None:
    for answer in (
        browser.get(PAGE, params=question(**changes)),
        browser.post(PAGE, data=question(**changes) | {"decision": "allow", "tenant": TENANT_ID}),
    ):
        assert (answer.status_code, f"Error: {word}" in answer.text) == (500, True)


def test_the_loopback_is_allowed_by_its_name_and_not_by_its_number(
    sandbox: SandboxControl, browser: httpx.Client
) -> None:
    numbered = "http://127.0.0.1:8787/xero/callback"
    sandbox.settings(redirect_uris=[BACK, numbered, "https://duebell.example/xero/callback"])
    assert browser.get(PAGE, params=question(redirect_uri=numbered)).status_code == 500
    assert browser.get(PAGE, params=question()).status_code == 200
    public = question(redirect_uri="https://duebell.example/xero/callback")
    assert browser.get(PAGE, params=public).status_code == 200


def test_a_consent_gives_a_code_and_the_code_tokens_that_say_whose_they_are(browser: httpx.Client) -> None:
    back = answered(browser, TENANT_ID)
    assert str(back).startswith(f"{BACK}?")
    assert back.params["state"] == "the state"
    tokens = exchange(browser, back.params["code"]).json()
    assert tokens["expires_in"] == 1800
    assert set(tokens["scope"].split()) == set(READ.split())
    assert claims(tokens)["xero_userid"] == PERSON
    (row,) = listed(browser, tokens)
    assert (row["tenantId"], row["authEventId"]) == (TENANT_ID, claims(tokens)["authentication_event_id"])


def test_without_offline_access_there_is_no_refresh_token(browser: httpx.Client) -> None:
    assert "refresh_token" not in tokens_of(browser, TENANT_ID, scope="accounting.invoices.read")


def test_a_denial_goes_back_with_its_word_and_the_state(browser: httpx.Client) -> None:
    back = answered(browser, TENANT_ID, decision="deny")
    assert dict(back.params) == {"error": "access_denied", "state": "the state"}


def test_nothing_chosen_shows_the_page_again(browser: httpx.Client) -> None:
    assert browser.post(PAGE, data=question() | {"decision": "allow"}).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [{"code_verifier": "another"}, {"code_verifier": ""}, {"redirect_uri": "http://localhost:1/"}],
)
def test_a_code_is_worth_nothing_without_what_it_was_asked_with(
    browser: httpx.Client, changes: dict[str, str]
) -> None:
    code = answered(browser, TENANT_ID).params["code"]
    refused = exchange(browser, code, **changes)
    assert (refused.status_code, refused.json()) == (400, {"error": "invalid_grant"})


def test_a_code_is_used_once_and_lives_for_five_minutes(
    sandbox: SandboxControl, browser: httpx.Client
) -> None:
    code = answered(browser, TENANT_ID).params["code"]
    assert [exchange(browser, code).status_code for _ in range(2)] == [200, 400]
    late = answered(browser, TENANT_ID).params["code"]
    sandbox.shift_clock(5 * 60 + 1)
    assert exchange(browser, late).json() == {"error": "invalid_grant"}


def test_a_token_opens_what_its_person_connected_and_nothing_else(browser: httpx.Client) -> None:
    mine, theirs = tokens_of(browser, TENANT_ID), tokens_of(browser, OTHER, person=SOMEBODY)
    paths = {"Xero-Tenant-Id": OTHER, "Accept": "application/json"}
    assert browser.get("/api.xro/2.0/Organisation", headers=bearer(mine) | paths).status_code == 403
    assert browser.get("/api.xro/2.0/Organisation", headers=bearer(theirs) | paths).status_code == 200
    assert [row["tenantId"] for row in listed(browser, mine)] == [TENANT_ID]


def test_a_second_consent_adds_an_organisation_marks_it_and_ends_the_tokens_before(
    browser: httpx.Client,
) -> None:
    first = tokens_of(browser, TENANT_ID)
    (before,) = listed(browser, first)
    second = tokens_of(browser, OTHER)
    rows = {row["tenantId"]: row for row in listed(browser, second)}
    assert rows.keys() == {TENANT_ID, OTHER}
    assert rows[TENANT_ID]["id"] == before["id"]
    event = claims(second)["authentication_event_id"]
    assert [row["tenantId"] for row in listed(browser, second, f"?authEventId={event}")] == [OTHER]
    assert refreshed(browser, first["refresh_token"]).json() == {"error": "invalid_grant"}
    assert refreshed(browser, second["refresh_token"]).status_code == 200


def test_a_refreshed_token_is_the_same_person_s(browser: httpx.Client) -> None:
    tokens = refreshed(browser, tokens_of(browser, TENANT_ID)["refresh_token"]).json()
    assert claims(tokens)["xero_userid"] == PERSON
    assert [row["tenantId"] for row in listed(browser, tokens)] == [TENANT_ID]


def test_without_grace_a_rotated_token_is_dead_at_once(
    sandbox: SandboxControl, browser: httpx.Client
) -> None:
    sandbox.settings(refresh_grace_seconds=0)
    first = tokens_of(browser, TENANT_ID)["refresh_token"]
    assert [refreshed(browser, first).status_code for _ in range(2)] == [200, 400]


def test_a_connection_is_ended_by_its_own_id_alone(browser: httpx.Client) -> None:
    tokens = tokens_of(browser, TENANT_ID, OTHER)
    ids = {row["tenantId"]: row["id"] for row in listed(browser, tokens)}
    assert browser.delete(f"/connections/{TENANT_ID}", headers=bearer(tokens)).status_code == 403
    assert browser.delete(f"/connections/{ids[TENANT_ID]}", headers=bearer(tokens)).status_code == 204
    assert [row["tenantId"] for row in listed(browser, tokens)] == [OTHER]
    assert browser.delete(f"/connections/{ids[OTHER]}").status_code == 401


def test_a_custom_connection_can_be_ended_too(browser: httpx.Client) -> None:
    form = {"grant_type": "client_credentials", "scope": "accounting.settings.read"}
    basic = (XERO_CLIENT_ID, XERO_CLIENT_SECRET)
    tokens = browser.post("/connect/token", data=form, auth=basic).json()
    (row, _) = listed(browser, tokens)
    assert browser.delete(f"/connections/{row['id']}", headers=bearer(tokens)).status_code == 204
    assert [one["tenantId"] for one in listed(browser, tokens)] == [OTHER]


def test_a_revocation_ends_all_connections_and_tokens_of_the_person(browser: httpx.Client) -> None:
    mine, theirs = tokens_of(browser, TENANT_ID, OTHER), tokens_of(browser, OTHER, person=SOMEBODY)
    basic = (XERO_CLIENT_ID, XERO_CLIENT_SECRET)
    form = {"token": mine["refresh_token"]}
    assert browser.post("/connect/revocation", data=form, auth=("x", "y")).status_code == 400
    assert browser.post("/connect/revocation", data=form, auth=basic).status_code == 200
    assert listed(browser, mine) == []
    assert refreshed(browser, mine["refresh_token"]).status_code == 400
    assert [row["tenantId"] for row in listed(browser, theirs)] == [OTHER]
    assert refreshed(browser, theirs["refresh_token"]).status_code == 200


def test_tokens_can_be_had_that_say_nothing(sandbox: SandboxControl, browser: httpx.Client) -> None:
    sandbox.settings(opaque_tokens=True)
    assert "." not in tokens_of(browser, TENANT_ID)["access_token"]
