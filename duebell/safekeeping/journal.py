"""The side journal: what was posted, in files beside the ledger that a restored backup does not take back.

Before each POST one line is on disk that says which attempt begins, and after it one with the SID that came
back. Where the ledger does not know an attempt of its own journal, it was set back since, and would tell
people again.

A line holds ids, keys and times, no address and no text. It begins with an empty line, so that what a power
cut left of the one before does not spoil it. Several processes append to one file, each line in a single
write (O_APPEND: pubs.opengroup.org/onlinepubs/9799919799/functions/write.html); each machine has its own.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import cast

import orjson

KEPT = timedelta(days=60)
"""How long a day's file is kept: a backup that is older says nothing of who was told since."""


@dataclass(frozen=True, slots=True)
class Posted:
    """One attempt as the journal knows it.

    ``told`` holds the key and the invoice of each notification in its message, that of the message's own
    first. ``made_nothing``: the provider provably made no message of it. ``compared_at``: when its process
    had last compared the journal with the ledger. ``send_at``: until when the provider was to hold it;
    ``batch_id``: SendGrid's batch of an email that was to be held.
    """

    attempt_id: str
    lease_token: int
    at: datetime
    channel: str
    told: tuple[tuple[str, str], ...]
    sid: str = ""
    made_nothing: bool = False
    compared_at: datetime | None = None
    send_at: datetime | None = None
    batch_id: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """What a day's files hold of one ledger, in the order of time; ``unreadable`` counts broken lines."""

    posted: tuple[Posted, ...]
    unreadable: int


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal of one machine. ``ledger`` in its methods is ``trail.origin`` of the ledger."""

    folder: Path
    machine: str
    comparing: Lock = field(default_factory=Lock)
    compared: list[datetime] = field(default_factory=list[datetime])
    """When this process last compared it with the ledger, once it has."""

    def begun(self, ledger: str, posted: Posted) -> None:
        """Write down that a POST is about to be made; on disk when this returns. Raises ``OSError``."""
        told = [list(pair) for pair in posted.told]
        named = {"attempt": posted.attempt_id, "token": posted.lease_token, "by": posted.channel}
        times = {"compared": posted.compared_at, "send_at": posted.send_at}
        known = {name: time.isoformat() for name, time in times.items() if time is not None}
        known |= {"batch": posted.batch_id} if posted.batch_id else {}
        self._append(ledger, posted.at, {**named, **known, "told": told})

    def ended(self, ledger: str, posted: Posted, sid: str | None) -> None:
        """Write down the SID that came back, or that nothing was made. Raises ``OSError``."""
        self._append(ledger, posted.at, {"attempt": posted.attempt_id, "sid": sid or ""})

    def days(self) -> list[str]:
        """The days of which there are files, the latest first."""
        return sorted({_day_of(path) for path in self.folder.glob("*.jsonl")}, reverse=True)

    def read(self, ledger: str, day: str) -> Read:
        """What was posted for this ledger on a day (UTC). Lines about another one are left aside."""
        posted: dict[str, Posted] = {}
        unreadable = 0
        for line in self._lines(day):
            entry = _entry(line)
            if entry is None:
                unreadable += 1
            elif entry["ledger"] == ledger:
                _take(posted, entry)
        in_order = sorted(posted.values(), key=lambda one: one.at)
        return Read(tuple(in_order), unreadable)

    def knows_another_than(self, ledger: str) -> bool:
        """Whether a message was begun here for another ledger. Raises ``OSError``."""
        entries = (_entry(line) for day in self.days() for line in self._lines(day))
        return any(one is not None and "told" in one and one["ledger"] != ledger for one in entries)

    def prune(self, now: datetime) -> int:
        """Delete the files of days that ended long ago; returns how many."""
        oldest = f"{now - KEPT:%Y-%m-%d}"
        old = [path for path in self.folder.glob("*.jsonl") if _day_of(path) < oldest]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _append(self, ledger: str, at: datetime, line: Mapping[str, object]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{self.machine}-{at:%Y-%m-%d}.jsonl"
        is_new = not path.exists()
        raw = b"\n" + orjson.dumps({"ledger": ledger, "at": at.isoformat(), **line}) + b"\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if os.write(descriptor, raw) != len(raw):
                raise OSError(f"only a part of a line fitted into {path}")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            _sync(self.folder)

    def _lines(self, day: str) -> Iterator[bytes]:
        for path in sorted(self.folder.glob(f"*-{day}.jsonl")):
            yield from (line for line in path.read_bytes().split(b"\n") if line)


def _day_of(path: Path) -> str:
    return path.stem[-len("2026-11-20") :]


def _sync(folder: Path) -> None:
    """A file that a power cut takes back with its name would be a journal that was never written."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _entry(line: bytes) -> dict[str, object] | None:
    try:
        entry: object = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    whole = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
    return whole if {"ledger", "at", "attempt"} <= whole.keys() else None


def _take(posted: dict[str, Posted], entry: dict[str, object]) -> None:
    attempt_id, known = str(entry["attempt"]), posted.get(str(entry["attempt"]))
    if "told" in entry:
        told = cast("list[list[str]]", entry["told"])
        pairs = tuple((key, invoice_id) for key, invoice_id in told)
        token, by = cast("int", entry["token"]), str(entry["by"])
        at = datetime.fromisoformat(str(entry["at"]))
        posted[attempt_id] = Posted(
            attempt_id,
            token,
            at,
            by,
            pairs,
            compared_at=_time(entry, "compared"),
            send_at=_time(entry, "send_at"),
            batch_id=str(entry.get("batch", "")),
        )
    elif known is not None:
        sid = str(entry["sid"])
        posted[attempt_id] = replace(known, sid=sid, made_nothing=not sid)


def _time(entry: Mapping[str, object], name: str) -> datetime | None:
    return datetime.fromisoformat(str(entry[name])) if name in entry else None
