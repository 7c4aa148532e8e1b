"""Twilio's Email API, played inside the process over simulated time. It keeps the truth: what it accepted.

It tells of an email by an operation and, where it is asked for a tag, by a list that lags; it calls nobody.
"""

import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import Engine

from duebell.email.messages import TAG
from tests.support_clockwork import Clockwork
from tests.support_fates import WELL, Fate
from tests.support_played_twilio import Disorder, Posted, Remembers, Taken

EMAIL_FATES = (
    Fate("no connection", 0.03),
    Fate("lost on the way", 0.02, answer_after=(10, 11)),
    Fate("taken, the answer lost", 0.05, taken=True, answer_after=(10, 11)),
    Fate("taken late, the answer lost", 0.01, taken=True, after=(5, 90), answer_after=(20, 21)),
    Fate("500, not taken", 0.01),
    Fate("503, taken", 0.01, taken=True),
    Fate("taken, the answer unreadable", 0.005, taken=True),
    Fate("429", 0.04),
)


@dataclass
class PlayedEmail(Remembers):
    """Answers as the Email API does, with what goes wrong drawn by ``chance``."""

    clockwork: Clockwork
    chance: random.Random
    disorder: Disorder
    engine: Engine
    """The ledger of which it tells nobody: it is asked."""
    fates: tuple[Fate, ...] = EMAIL_FATES
    messages: list[Taken] = field(default_factory=list[Taken])
    posts: dict[str, list[Posted]] = field(default_factory=lambda: defaultdict(list[Posted]))
    """The POSTs about each invoice, by its number."""
    of_attempt: Counter[str] = field(default_factory=Counter[str])
    seen: Counter[str] = field(default_factory=Counter[str])
    wrongs: list[str] = field(default_factory=list[str])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of the account's."""
        return self._read(request) if request.method == "GET" else self._post(request)

    def _post(self, request: httpx.Request) -> httpx.Response:
        email = json.loads(request.content)
        attempt_id, fate = (
            str(email["tags"][TAG]),
            self.chance.choices([*self.fates, WELL], self._shares())[0],
        )
        posted = Posted(fate.name, None)
        self.remember(posted, email["content"]["text"], attempt_id)
        self.seen[f"email {fate.name}"] += 1
        if fate.taken:
            delay = self.chance.uniform(*fate.after)
            self.clockwork.at(delay, lambda: self._take(email, attempt_id, posted))
        self.clockwork.step(self.chance.uniform(*fate.answer_after) + fate.after[1] * (fate is WELL))
        return self._answer(fate, posted, request)

    def _shares(self) -> list[float]:
        shares = [fate.share for fate in self.fates]
        return [*shares, 1 - sum(shares)]

    def _take(self, email: dict[str, Any], attempt_id: str, posted: Posted) -> None:
        now, text = self.clockwork.now, str(email["content"]["text"])
        lag = self.chance.uniform(0, self.disorder.list_lag)
        message = Taken(
            f"comms_operation_{len(self.messages) + 1:026}",
            attempt_id,
            str(email["to"][0]["address"]),
            text,
            now,
            now + timedelta(seconds=lag),
        )
        posted.taken.append(message)
        self.messages.append(message)
        comes_back = self.chance.random() < self.disorder.undelivered
        moment = 0.0
        for status in ("sent", "undelivered" if comes_back else "delivered"):
            moment += self.chance.uniform(0, 300)
            self.clockwork.at(moment, lambda to=status: setattr(message, "status", to))

    def _answer(self, fate: Fate, posted: Posted, request: httpx.Request) -> httpx.Response:
        fate.break_off(request)
        if fate.name == "taken, the answer unreadable":
            return httpx.Response(202, text="<html>Accepted</html>")
        if fate is WELL:
            return httpx.Response(202, json={"operationId": posted.taken[0].sid})
        return httpx.Response(int(fate.name.split(",")[0]), json={"message": "no"})

    def _read(self, request: httpx.Request) -> httpx.Response:
        self.clockwork.step(self.chance.uniform(0.05, 1.0))
        if self.chance.random() < self.disorder.reads_fail:
            raise httpx.ReadTimeout("no answer", request=request)
        if tags := request.url.params.get("tags"):
            wanted, now = tags.removeprefix(f"{TAG}:").removesuffix(";"), self.clockwork.now
            listed = [one for one in self.messages if one.attempt_id == wanted and one.listed_from <= now]
            return httpx.Response(200, json={"emails": [_as_told(one) for one in listed]})
        number = request.url.path.rpartition("_")[2]
        message = next(one for one in self.messages if one.sid.endswith(number))
        if "/Operations/" in request.url.path:
            stats = {"total": 1, message.status: 1}
            return httpx.Response(200, json={"status": "COMPLETED", "stats": stats})
        return httpx.Response(200, json=_as_told(message))


def _as_told(message: Taken) -> dict[str, object]:
    email_id = message.sid.replace("operation", "email")
    return {"id": email_id, "status": message.status.upper(), "tags": {TAG: message.attempt_id}}
