"""What a person of the business settles: somebody asked, in free words, to be left alone or told again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session, col, func, select

from duebell.audit import Entry
from duebell.deciding.deciding import Rules
from duebell.email.addresses import mailbox
from duebell.errors import ConfigurationError, DuebellError
from duebell.ledger import consent_lines, group_lines, group_stops, inbound, preferences, wishes
from duebell.ledger.engine import reading
from duebell.ledger.group_stops import GroupStop
from duebell.ledger.preferences import ASKED, OPTED_OUT
from duebell.ledger.tables import Leg, Notification
from duebell.ledger.writing import Writing, writing
from duebell.old_numbers import as_dialled_now
from duebell.phone import parse_e164, redact
from duebell.planning.contacts_in_step import bring_in_step
from duebell.policy.reaching import EMAIL, SMS
from duebell.preferences.mirroring import Consent, Source, Wish
from duebell.resources import Resources
from duebell.sending.telling import rules_of
from duebell.states import WAITING

WHY_AT_MOST = 300


@dataclass(frozen=True, slots=True)
class Known:
    """What stands for or against one address on one channel; an empty state is nothing against it."""

    channel: str
    state: str
    evidence: str
    since: datetime


@dataclass(frozen=True, slots=True)
class AtTwilio:
    """What Twilio was told, or heard itself, of a number and one sender of ours."""

    sender: str
    status: str
    stands: str
    answer: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class InXero:
    """Whether a contact of this number is to be in the group of Xero that shows who stopped."""

    tenant_id: str
    contact_id: str
    group: str
    wanted: bool
    ours: bool
    stands: str
    answer: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """All that is known of an address. ``by_group``: what Twilio blocks for a contact's group in Xero."""

    known: tuple[Known, ...]
    at_twilio: tuple[AtTwilio, ...]
    in_xero: tuple[InXero, ...] = ()
    by_group: tuple[GroupStop, ...] = ()


@dataclass(frozen=True, slots=True)
class Stopped:
    """How much that waited was decided anew, and what kept Duebell from it, if anything."""

    decided: int
    problem: str = ""


def address_on(address: str, channel: str) -> str:
    """The address as the ledger keeps it. Raises ``ConfigurationError`` where it is none on this channel."""
    if channel == SMS:
        return _number(address.strip())
    if channel != EMAIL:
        raise ConfigurationError(f"{channel!r} is no channel: write {SMS} or {EMAIL}")
    found = mailbox(address)
    if found is None:
        raise ConfigurationError("that is no email address; for a number write --channel sms")
    return preferences.as_kept(found.address, channel)


def _number(address: str) -> str:
    try:
        return parse_e164(as_dialled_now(address))
    except ConfigurationError:
        raise ConfigurationError(
            "that is neither a phone number (+ and the country code, then the whole number) nor an email "
            "address (with an @)"
        ) from None


def show(resources: Resources, address: str, channel: str) -> Standing:
    """What is known of an address, on every channel; nothing is changed."""
    found = address_on(address, channel)
    with reading(resources.engine) as session:
        rows, lines = preferences.of_address(session, found), consent_lines.of_address(session, found)
        shown = group_lines.of_address(session, found)
        by_group = group_stops.standing(session, found)
    return Standing(
        tuple(Known(row.channel, row.state, row.evidence, row.changed_at) for row in rows),
        tuple(AtTwilio(one.sender, one.status, one.stands, one.answer) for one in lines),
        tuple(
            InXero(
                one.tenant_id, one.contact_id, one.group_name, one.wanted, one.ours, one.stands, one.answer
            )
            for one in shown
        ),
        tuple(by_group),
    )


def stop(resources: Resources, address: str, channel: str, *, by: str, why: str) -> Stopped:
    """Write nothing to this address any more, and decide anew on what waited for it.

    Its owner asked for it, so that their own START lifts it again. Raises ``ConfigurationError``.
    """
    found, reason = address_on(address, channel), _reason(why)
    evidence = f"{ASKED} {by}: {reason}"
    with writing(resources.engine, resources.clock()) as book:
        preferences.refuse_address(book, found, channel, OPTED_OUT, evidence)
        _settled(book, (found, channel), Consent.OPT_OUT, evidence, by, reason)
    # The wish stands from here on, whatever deciding anew meets: nothing is sent before a look at it.
    try:
        rules = rules_of(resources)
        with writing(resources.engine, resources.clock()) as book:
            return Stopped(_decided_anew(book, found, channel, rules))
    except (ConfigurationError, DuebellError) as problem:
        return Stopped(0, str(problem))


def allow(resources: Resources, address: str, channel: str, *, by: str, why: str) -> int:
    """Write to this address again, whatever stood against it; the person's own evidence is in ``why``.

    Returns how much that waited is decided anew. Raises ``ConfigurationError``, also where nothing stands
    against it and nobody seems to have asked for an end.
    """
    found, reason, rules = address_on(address, channel), _reason(why), rules_of(resources)
    evidence = f"allowed: {by}: {reason}"
    with writing(resources.engine, resources.clock()) as book:
        asked = channel == SMS and inbound.seems_to_ask_for_an_end(book.session, found)
        was = preferences.allow(book, found, channel, evidence)
        wish = wishes.known(book.session, [found]).get(found) if channel == SMS else None
        if not was and not asked and (wish is None or wish.status is Consent.OPT_IN):
            raise ConfigurationError("nothing stands against this address: `duebell preference show` tells")
        _settled(book, (found, channel), Consent.OPT_IN, evidence, by, reason)
        return _decided_anew(book, found, channel, rules)


def _settled(
    book: Writing, where: tuple[str, str], status: Consent, evidence: str, by: str, reason: str
) -> None:
    address, channel = where
    if channel == SMS:
        wishes.said(book, address, Wish(status, Source.COMMAND, book.now, evidence))
    details = {"channel": channel, "why": reason}
    shown = redact(address) if channel == SMS else "an email address"
    book.audit(Entry(by, f"preference {status.value}", "address", shown, details=details))


def _decided_anew(book: Writing, address: str, channel: str, rules: Rules) -> int:
    decided = 0
    for tenant_id, contact_ids in _waiting(book.session, address, channel).items():
        decided += bring_in_step(book, tenant_id, contact_ids, rules, flow_run_id=None).decided
    return decided


def _reason(why: str) -> str:
    reason = " ".join(why.split())[:WHY_AT_MOST]
    if not reason:
        raise ConfigurationError('say why, for the audit trail: --why "asked by telephone on Monday"')
    return reason


def _waiting(session: Session, address: str, channel: str) -> dict[str, Sequence[str]]:
    """The contacts for whom something waits to be told at this address, by organisation."""
    told_at = func.lower(Leg.address) if channel == EMAIL else col(Leg.address)
    rows = session.exec(
        select(Notification.tenant_id, Notification.contact_id)
        .join(Leg, col(Leg.notification_id) == col(Notification.notification_id))
        .where(
            told_at == address,
            Leg.channel == channel,
            col(Notification.state).in_([state.value for state in WAITING]),
            col(Notification.contact_id).is_not(None),
        )
        .distinct()
    ).all()
    found: dict[str, list[str]] = {}
    for tenant_id, contact_id in rows:
        if contact_id:
            found.setdefault(tenant_id, []).append(contact_id)
    return {tenant_id: sorted(ids) for tenant_id, ids in found.items()}
