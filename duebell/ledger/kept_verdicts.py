"""Verdicts as they were made, with what they rested on: what a past one is told and made again from."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime

from sqlmodel import Session, col, select

from duebell.ledger.inserting import insert_new
from duebell.ledger.tables import KeptVerdict, PolicyText
from duebell.ledger.writing import Writing


@dataclass(frozen=True, slots=True)
class Grounds:
    """A verdict and what it rests on, as they are kept; the contact is the one that is left after merges."""

    at: datetime
    policy_text: str = field(repr=False)
    invoice_version: int
    contact_id: str | None
    contact_version: int | None
    verdict: str = field(repr=False)
    facts: str = field(repr=False)


AS_THEY_ARE = [one.name for one in fields(Grounds) if one.name != "policy_text"]


def keep(book: Writing, notification_id: int | None, grounds: Grounds | None, *, actor: str) -> None:
    """Keep a verdict about a notification; nothing where nobody decided anything."""
    if grounds is None:
        return
    columns = {name: getattr(grounds, name) for name in AS_THEY_ARE}
    sha256 = _keep_policy(book, grounds.policy_text)
    row = {"notification_id": notification_id, "actor": actor, "policy_sha256": sha256, **columns}
    book.add_last(KeptVerdict, row)


def _keep_policy(book: Writing, text: str) -> str:
    """The hash of a policy's text, which is kept from its first use on; empty where there is no text."""
    if not text:
        return ""
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    seen: set[str] = book.session.info.setdefault("policy_texts", set())
    if sha256 not in seen:
        kept = {"sha256": sha256, "text": text, "first_used_at": book.now}
        insert_new(book.session, PolicyText, kept)
        seen.add(sha256)
    return sha256


def of_notifications(session: Session, notification_ids: Sequence[int]) -> list[KeptVerdict]:
    """The verdicts about these notifications, the oldest first."""
    wanted = select(KeptVerdict).where(col(KeptVerdict.notification_id).in_(notification_ids))
    return list(session.exec(wanted.order_by(col(KeptVerdict.verdict_id))).all())
