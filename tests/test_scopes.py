"""To write contacts is asked for only where the policy names a group, and never at the price of reading."""

from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import SecretStr

from duebell.connecting.scopes import consent_scopes, custom_scopes, custom_tokens
from duebell.errors import ConfigurationError, ScopesRefused
from duebell.policy_file.policy import Policy
from duebell.xero.identity import CONSENT_SCOPES, SCOPES, WRITES_CONTACTS, XeroIdentity

OFF = Policy.model_validate({})
ON = Policy.model_validate({"preferences": {"write_back_group": "No SMS"}})
ONE = Policy.model_validate(
    {"tenant": {"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee": {"preferences": {"write_back_group": "No SMS"}}}}
)


def identity(allowed: tuple[str, ...], asked: list[set[str]], error: str = "invalid_scope") -> XeroIdentity:
    def answer(request: httpx.Request) -> httpx.Response:
        scopes = set(parse_qs(request.content.decode())["scope"][0].split())
        asked.append(scopes)
        if not scopes <= set(allowed):
            return httpx.Response(400, json={"error": error})
        body = {"access_token": "a", "expires_in": 1800, "token_type": "Bearer", "scope": " ".join(scopes)}
        return httpx.Response(200, json=body)

    http = httpx.Client(transport=httpx.MockTransport(answer))
    return XeroIdentity(http, "https://identity.xero.test", "id", SecretStr("secret"))


def test_as_shipped_no_more_than_reading_is_asked_for() -> None:
    assert (consent_scopes(OFF), custom_scopes(OFF)) == (CONSENT_SCOPES, SCOPES)


@pytest.mark.parametrize("policy", [ON, ONE])
def test_a_group_to_write_in_any_organisation_asks_for_the_scope(policy: Policy) -> None:
    assert set(consent_scopes(policy)) == {*CONSENT_SCOPES, WRITES_CONTACTS}
    assert set(custom_scopes(policy)) == {*SCOPES, WRITES_CONTACTS}


def test_an_app_that_may_not_write_gets_a_token_that_reads() -> None:
    asked: list[set[str]] = []
    tokens = custom_tokens(identity(SCOPES, asked), ON)
    assert set(tokens.scopes) == set(SCOPES)
    assert asked == [{*SCOPES, WRITES_CONTACTS}, set(SCOPES)]


def test_where_not_even_reading_is_given_it_is_said_and_another_refusal_is_not_asked_again() -> None:
    with pytest.raises(ScopesRefused, match=r"accounting\.invoices\.read"):
        custom_tokens(identity((), []), ON)
    asked: list[set[str]] = []
    with pytest.raises(ConfigurationError, match="XERO_CLIENT_ID"):
        custom_tokens(identity((), asked, "invalid_client"), ON)
    assert len(asked) == 1
