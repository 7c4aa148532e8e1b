"""What was known of an invoice, and by which policy was decided, at a time that is past."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from sqlmodel import Session, col, select

from duebell.deciding.deciding import Rules
from duebell.deciding.known import Known, addresses_of, known_of, with_reminders
from duebell.ledger import versions
from duebell.ledger.refusals_then import Then, refusals_at
from duebell.ledger.tables import ContactSnapshot, InvoiceSnapshot, KeptVerdict, PolicyText
from duebell.ledger.versions import Version
from duebell.money import with_code
from duebell.phone import redact
from duebell.policy.teams import ways_of_team
from duebell.policy_file.policy import Policy
from duebell.showing.facts_in_words import When
from duebell.showing.recalling import policy_of
from duebell.states import Sending, lower
from duebell.xero.parse import parse_contact_body, parse_invoice_body


def rules_at(session: Session, rules: Rules, at: datetime | None) -> Rules:
    """The rules with the policy of the latest verdict by then; those of now where none is kept or known."""
    if at is None:
        return rules
    used = select(KeptVerdict.policy_sha256).where(col(KeptVerdict.at) <= at)
    sha256 = session.exec(used.order_by(col(KeptVerdict.verdict_id).desc())).first()
    text = session.get(PolicyText, sha256) if sha256 else None
    policy = policy_of(text) if text is not None else None
    return rules if text is None or policy is None else replace(rules, policy=policy, text=text.text)


def known_at(
    session: Session, row: InvoiceSnapshot, rules: Rules, at: datetime | None, now: datetime
) -> Known | None:
    """What is known now, or was by a time; nothing where the invoice had not been read by then."""
    known = known_of(session, row.tenant_id, [row.invoice_id])
    policy = rules.policy.for_tenant(row.tenant_id)
    one = with_reminders(session, row.tenant_id, known, policy, at or now)[row.invoice_id]
    if at is None:
        return one
    version = _by(versions.of_invoice(session, row), at)
    if version is None:
        return None
    read = replace(
        one.read, invoice=parse_invoice_body(version.body), body=version.body, version=version.number
    )
    reminders = tuple(past for past in one.reminders if past.at <= at)
    announced = tuple(past for past in one.announced if past.at and past.at <= at)
    untold = tuple(past for past in one.untold if past.at <= at)
    then = _with_contact(session, row, one, at)
    refusals = _refusals(session, then, policy, at).refused
    return replace(
        then, read=read, reminders=reminders, announced=announced, untold=untold, refusals=refusals
    )


def not_of_then(session: Session, known: Known, rules: Rules, at: datetime, when: When) -> Iterator[str]:
    """A sentence for each thing of what was known that cannot be told for a time that is past."""
    policy = rules.policy.for_tenant(known.tenant.tenant_id)
    for address, changed_at in _refusals(session, known, policy, at).changed.items():
        yield (
            f"what was noted {when(changed_at)} for or against writing to {redact(address)} is left out, "
            "and whether anything stood against it before is not kept"
        )
    sending = lower(rules.ceiling, Sending(known.tenant.sending)).value
    credit = ", ".join(with_code(amount, currency) for currency, amount in known.balance.credit.items())
    waits = f"{credit} of the customer's credit waits" if credit else "no credit of the customer waits"
    yield f"it is taken as it is today that the organisation's sending is {sending}, and that {waits} in Xero"


def _refusals(session: Session, known: Known, policy: Policy, at: datetime) -> Then:
    teams = (ways_of_team(name, team).values() for name, team in policy.team.items())
    return refusals_at(session, {*addresses_of(known), *(way.address for ways in teams for way in ways)}, at)


def _with_contact(session: Session, row: InvoiceSnapshot, one: Known, at: datetime) -> Known:
    contact = session.get(ContactSnapshot, (row.tenant_id, one.contact_id)) if one.contact else None
    if contact is None:
        return one
    version = _by(versions.of_contact(session, contact), at)
    if version is None:
        return replace(one, contact=None)
    return replace(one, contact=parse_contact_body(version.body), contact_version=version.number)


def _by(found: list[Version], at: datetime) -> Version | None:
    """The version that was the present one; one whose beginning nobody knows is as old as need be."""
    return next((one for one in reversed(found) if one.since is None or one.since <= at), None)
