"""Contact groups are read and written as Xero's interface has them, and each request is counted and paced."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from duebell.errors import Permanent, RecordNotFound, ScopeMissing, TokenExpired, Transient
from duebell.xero.answers import CallMade
from duebell.xero.client import XeroClient

GROUP = "17b44ed7-4389-4162-91cb-3dd5766e4e22"
ONE, TWO = "4e1753b9-018a-4775-b6aa-1bc7871cfee3", "430fa14a-f945-44d3-9f97-5df5e28441b8"
PATH = f"/api.xro/2.0/ContactGroups/{GROUP}"

Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler, calls: list[CallMade] | None = None) -> XeroClient:
    http = httpx.Client(transport=httpx.MockTransport(handler))
    token = SecretStr("a.test.token")
    on_call = (calls if calls is not None else []).append
    return XeroClient(http, "https://api.xero.test", lambda: token, "tenant", nullcontext, on_call)


def answering(status: int, body: object = None, **headers: str) -> Handler:
    return lambda _request: httpx.Response(status, json=body, headers=headers)


def test_the_official_sample_names_the_group_and_its_members(samples: Path) -> None:
    body = json.loads((samples / "xero-samples" / "contact-group.openapi.json").read_bytes())
    assert client(answering(200, body)).groups.by_name() == {"Oasis": GROUP}
    assert client(answering(200, body)).groups.members(GROUP) == {ONE, TWO}


def test_a_deleted_group_is_none() -> None:
    gone = {"ContactGroups": [{"ContactGroupID": GROUP, "Name": "No SMS", "Status": "DELETED"}]}
    assert client(answering(200, gone)).groups.by_name() == {}


def test_contacts_are_put_in_by_one_request_and_taken_out_by_one_each() -> None:
    asked: list[httpx.Request] = []
    calls: list[CallMade] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.method == "DELETE":
            return httpx.Response(204, headers={"X-DayLimit-Remaining": "998"})
        return httpx.Response(200, json={"Contacts": []}, headers={"X-DayLimit-Remaining": "999"})

    groups = client(handler, calls).groups
    groups.add(GROUP, [ONE, TWO])
    groups.remove(GROUP, ONE)
    put, delete = asked
    assert (put.method, put.url.path) == ("PUT", f"{PATH}/Contacts")
    assert json.loads(put.content) == {"Contacts": [{"ContactID": ONE}, {"ContactID": TWO}]}
    assert put.headers["content-type"] == "application/json"
    assert (delete.method, delete.url.path) == ("DELETE", f"{PATH}/Contacts/{ONE}")
    assert {request.headers["xero-tenant-id"] for request in asked} == {"tenant"}
    assert [call.limits.day_remaining for call in calls] == [999, 998]


def test_whoever_is_not_in_the_group_is_out_already() -> None:
    client(lambda _request: httpx.Response(404, text="<html>not found</html>")).groups.remove(GROUP, ONE)


def test_what_xero_refuses_is_told_apart() -> None:
    no_scope = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
    for handler, error in (
        (answering(401, {"Detail": "AuthorizationUnsuccessful"}), ScopeMissing),
        (answering(403, {}, **no_scope), ScopeMissing),
        (answering(401, {"Detail": "TokenExpired: token expired"}), TokenExpired),
        (answering(400, {"ErrorNumber": 10, "Type": "ValidationException"}), Permanent),
        (answering(404), RecordNotFound),
        (answering(503), Transient),
    ):
        with pytest.raises(error):
            client(handler).groups.add(GROUP, [ONE])


def test_no_id_of_ours_leads_to_another_path() -> None:
    with pytest.raises(Permanent):
        client(answering(204)).groups.remove(GROUP, "../../Invoices")
