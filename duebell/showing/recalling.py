"""A past verdict, and the same decision made once more from what was kept of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import Session

from duebell.deciding.deciding import Basis, Rules, decide
from duebell.deciding.grounds import FACTS, KNOWN, VERDICTS, Facts
from duebell.deciding.known import Known
from duebell.errors import ConfigurationError
from duebell.ledger import versions
from duebell.ledger.snapshots import ReadInvoice
from duebell.ledger.tables import KeptVerdict, Notification, PolicyText, Tenant
from duebell.model import Contact, Invoice
from duebell.planning.volume import among_others, until_next_hour
from duebell.policy.reaching import SMS
from duebell.policy.verdict import Send, Verdict
from duebell.policy_file.policy import Policy, read_policy
from duebell.xero.parse import parse_contact_body, parse_invoice_body


@dataclass(frozen=True, slots=True)
class Recalled:
    """A verdict as it was kept, and the verdict that its basis leads to when it is decided again.

    Where something that it rested on is kept no longer, both are empty and ``lacking`` says what.
    """

    said: Verdict
    facts: Facts
    basis: Basis | None = None
    again: Verdict | None = None
    lacking: str = ""


OF_ANOTHER_VERSION = "the policy that it was made by is of another version of Duebell"


def policy_of(kept: PolicyText) -> Policy | None:
    """A policy as it was kept; none where it has words that this version does not know."""
    try:
        return read_policy(kept.text.encode(), Path("policy.toml"))
    except ConfigurationError:
        return None


def recall(session: Session, kept: KeptVerdict, tenant: Tenant, invoice_id: str) -> Recalled:
    """A kept verdict about an invoice, and the verdict that is made from what it rested on."""
    facts = FACTS.validate_json(kept.facts)
    [(name, written)] = json.loads(kept.verdict).items()
    said: Verdict = VERDICTS[name].validate_python(written)
    text = session.get(PolicyText, kept.policy_sha256)
    if text is None:
        return Recalled(said, facts, lacking="the policy that it was made by is not kept")
    known = _known(session, kept, facts, tenant, invoice_id)
    if known is None:
        return Recalled(said, facts, lacking="the invoice or the contact as it was then is kept no longer")
    policy = policy_of(text)
    if policy is None:
        return Recalled(said, facts, lacking=OF_ANOTHER_VERSION)
    rules = _rules(facts, policy, text.text)
    basis = Basis(facts.subject, known, rules, kept.at, facts.seen_at, facts.forced, facts.failed, facts.own)
    return Recalled(said, facts, basis, made_again(basis, facts))


def made_again(basis: Basis, facts: Facts) -> Verdict:
    """The decision as every run makes it, with what its crowd did to it then."""
    verdict = among_others(decide(basis), _row(facts), facts.crowd, basis.now)
    next_hour = facts.crowd.next_hour
    return until_next_hour(verdict, next_hour) if isinstance(verdict, Send) and next_hour else verdict


def _rules(facts: Facts, policy: Policy, text: str) -> Rules:
    schedules = facts.schedules
    if isinstance(schedules, bool):
        schedules = frozenset({SMS}) if schedules else frozenset[str]()
    return Rules(policy, facts.ceiling, facts.channels, text, schedules)


def _row(facts: Facts) -> Notification | None:
    """The notification as it stood before the verdict."""
    one = facts.standing
    if one is None:
        return None
    return Notification(
        key="",
        tenant_id="",
        kind=facts.subject.kind,
        subject_id=facts.subject.subject_id,
        state=one.state,
        reason=one.reason,
        not_before=one.not_before,
        planned_at=one.planned_at,
        generation=one.generation,
        updated_at=one.planned_at,
    )


def _known(
    session: Session, kept: KeptVerdict, facts: Facts, tenant: Tenant, invoice_id: str
) -> Known | None:
    """What was known then; nothing where a version of it is kept no longer."""
    body = versions.body_of(session, tenant.tenant_id, versions.INVOICE, invoice_id, kept.invoice_version)
    contact = _contact(session, kept, tenant.tenant_id)
    if body is None or (contact is None and kept.contact_id is not None):
        return None
    columns: Mapping[str, Any] = tenant.model_dump() | {
        "sending": facts.sending,
        "country": facts.country,
        "timezone": facts.timezone,
    }
    rest: Mapping[str, Any] = {name: KNOWN[name].validate_python(one) for name, one in facts.known.items()}
    return Known(
        tenant=Tenant(**columns),
        read=_read(parse_invoice_body(body), body, facts, kept),
        contact=contact,
        contact_version=kept.contact_version,
        **rest,
    )


def _read(invoice: Invoice, body: str, facts: Facts, kept: KeptVerdict) -> ReadInvoice:
    return ReadInvoice(
        invoice, body, facts.read_at, None, facts.known_before_connecting, kept.invoice_version
    )


def _contact(session: Session, kept: KeptVerdict, tenant_id: str) -> Contact | None:
    if kept.contact_id is None or kept.contact_version is None:
        return None
    body = versions.body_of(session, tenant_id, versions.CONTACT, kept.contact_id, kept.contact_version)
    return parse_contact_body(body) if body else None
