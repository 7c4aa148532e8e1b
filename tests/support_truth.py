"""The truth outside the ledger, for tests in which things happen in any order."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from hypothesis import strategies as st

from tests.support_facts import ACCOUNT


class Killed(BaseException):
    """The process is no more."""


@dataclass
class Message:
    """A message that Twilio accepted."""

    sid: str
    attempt_id: str
    to: str
    body: str
    at: datetime


@dataclass
class Post:
    """What becomes of the next POST, and what happens around it, before and after it was accepted."""

    outcome: str = "accepted"
    arrives: bool = True
    before: Sequence[tuple[str, float]] = ()
    after: Sequence[tuple[str, float]] = ()

    @property
    def was_accepted(self) -> bool:
        """Whether a message exists; where nobody saw the answer, ``arrives`` decides."""
        return self.outcome == "accepted" or (self.outcome in {"unknown", "killed"} and self.arrives)


MINUTES = st.sampled_from([0.2, 0.9, 1.5, 6.0, 21.0, 61.0])
OPEN_OUTCOMES = ["unknown", "killed", "accepted", "not processed", "no connection"]
OUTCOMES = [*OPEN_OUTCOMES * 3, "refused", "opted out"]
EVENTS = [("reap", 0.0), ("settle", 0.0), ("rival", 0.0), ("receipts", 0.0), ("brake", 0.0)]
MEANWHILE = st.lists(st.one_of(st.tuples(st.just("time"), MINUTES), st.sampled_from(EVENTS)), max_size=3)
POSTS = st.builds(Post, st.sampled_from(OUTCOMES), st.booleans(), MEANWHILE, MEANWHILE)


@dataclass
class World:
    """The truth outside the ledger."""

    messages: list[Message] = field(default_factory=list[Message])
    statuses: dict[int, str] = field(default_factory=dict[int, str])
    stopped: set[int] = field(default_factory=set[int])
    braked: bool = False
    wrongs: list[AssertionError] = field(default_factory=list[AssertionError])


def attempt_of(form: dict[str, str]) -> str:
    """The attempt that a message's callback address names."""
    return parse_qs(urlsplit(form["StatusCallback"]).query)["n"][0]


def as_listed(message: Message) -> dict[str, Any]:
    """A message as Twilio lists it."""
    return {
        "sid": message.sid,
        "account_sid": ACCOUNT,
        "status": "sent",
        "direction": "outbound-api",
        "to": message.to,
        "body": message.body,
        "error_code": None,
        "date_created": format_datetime(message.at),
    }


def answered(outcome: str, message: Message | None, request: httpx.Request) -> httpx.Response:
    """The answer to a POST, or what its sender sees instead."""
    if outcome == "killed":
        raise Killed
    if outcome == "unknown":
        raise httpx.ReadTimeout("no answer", request=request)
    if outcome == "no connection":
        raise httpx.ConnectError("no connection", request=request)
    if message is None:
        status, code = {"refused": (400, 21211), "opted out": (400, 21610)}.get(outcome, (429, 20429))
        return httpx.Response(status, json={"code": code, "message": "", "status": status})
    return httpx.Response(201, json=as_listed(message) | {"status": "queued"})
