"""What would be said, to whom, when and why: decided as the runs decide it, with nothing written or sent.

It goes by what the ledger knows; a run reads the invoice anew before it speaks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from duebell.deciding.deciding import Rules, subject_of
from duebell.deciding.grouping import marks_of
from duebell.deciding.prospects import Asked, Prospect, outlook
from duebell.deciding.senders import sender_for, sender_of
from duebell.errors import TemplateProblem
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE, NEEDS_ATTENTION, PAYMENT_RECEIVED
from duebell.ledger import present
from duebell.ledger.engine import reading
from duebell.ledger.named import sale_named
from duebell.ledger.tables import InvoiceSnapshot, Tenant
from duebell.phone import redact
from duebell.planning.sweeping import look
from duebell.policy.reaching import EMAIL
from duebell.policy.verdict import Hold, Send, Skip
from duebell.policy_file.policy import Policy
from duebell.render.message_text import telling_of, tongue_for, words_of
from duebell.render.segments import segments
from duebell.render.wording import Telling, Told
from duebell.resources import Resources
from duebell.sending.standing_still import stands_still
from duebell.sending.telling import rules_of
from duebell.showing.facts_in_words import reason_of, rule_in_words, whom
from duebell.showing.reporting import in_words
from duebell.states import WAITING

KINDS = (INVOICE_ISSUED, PAYMENT_RECEIVED, INVOICE_OVERDUE, NEEDS_ATTENTION)


@dataclass(frozen=True, slots=True)
class Preview:
    """One message as it would be, or why there is none.

    ``at`` is when it would go out: empty for now, and where a person must come first, or nothing is said;
    ``timezone`` is the organisation's.
    ``language`` is the one that it is said in, with the one that was wanted where its words are not there.
    ``parts`` is how many SMS it takes, 0 for an email. ``resend``: a person asked for it to be said again.
    """

    kind: str
    invoices: tuple[str, ...]
    stage: str
    to: str
    channel: str
    state: str
    reason: str
    at: datetime | None
    rule: str
    language: str = ""
    sender: str = ""
    parts: int = 0
    text: str = field(default="", repr=False)
    timezone: str = "UTC"
    resend: bool = False


def of_invoice(resources: Resources, wanted: str) -> list[Preview]:
    """Each message about one invoice, by its number or id. Raises ``Permanent`` for none or several.

    Where a re-send has taken over, it stands for the message that it repeats, also once it has ended.
    """
    rules, now = rules_of(resources), resources.clock()
    with reading(resources.engine) as session:
        row = sale_named(session, wanted)
        prospects = [one for kind in KINDS for one in _prospects(session, row, kind, rules, now)]
    policy, still = rules.policy.for_tenant(row.tenant_id), _why_still(resources, row.tenant_id)
    return [_preview(resources, [one], policy, still) for one in prospects]


def _prospects(
    session: Session, invoice: InvoiceSnapshot, kind: str, rules: Rules, now: datetime
) -> Sequence[Prospect]:
    """What is owed of one kind, and the re-sends that have ended: nobody decides on those any more."""
    tenant_id, invoice_id = invoice.tenant_id, invoice.invoice_id
    found = outlook(session, Asked(tenant_id, kind, [invoice_id]), rules, now)
    if invoice_id not in found.known:
        return found.prospects
    ended = [
        Prospect(subject_of(row), found.known[invoice_id], row, None)
        for row in present.of_invoices(session, tenant_id, kind, [invoice_id])
        if row.generation > 0 and row.state not in WAITING
    ]
    return (*found.prospects, *ended)


def of_sweep(resources: Resources, tenant_id: str) -> list[Preview]:
    """Each message that the sweep would plan now, or that waits; one for what would be told together."""
    rules = rules_of(resources)
    policy = rules.policy.for_tenant(tenant_id)
    prospects = look(resources, tenant_id, rules).prospects
    marks = marks_of([(one.subject, one.known) for one in prospects], policy, resources.clock())
    together: dict[object, list[Prospect]] = {}
    for place, (one, mark) in enumerate(zip(prospects, marks, strict=True)):
        silent = isinstance(one.verdict, Skip)
        together.setdefault(place if silent else (mark, type(one.verdict), _state(one)), []).append(one)
    still = _why_still(resources, tenant_id)
    return [_preview(resources, members, policy, still) for members in together.values()]


def _why_still(resources: Resources, tenant_id: str) -> str:
    """Why nothing goes out now that would; empty where it does."""
    with reading(resources.engine) as session:
        tenant = session.get_one(Tenant, tenant_id)
        return "; ".join(stands_still(session, tenant, resources.settings.sending, resources.clock()))


def _preview(resources: Resources, members: Sequence[Prospect], policy: Policy, still: str) -> Preview:
    first = members[0]
    verdict, subject = first.verdict, first.subject
    state, reason = ("waits", still) if still and isinstance(verdict, Send) else _state(first)
    telling = telling_of([Told(one.subject, one.known) for one in members], policy, resources.clock())
    way = verdict if isinstance(verdict, Send | Hold) else None
    text, why_not = _text(resources, telling, way.channel) if way else ("", "")
    return Preview(
        subject.kind,
        tuple(one.known.read.invoice.number for one in members),
        subject.step.partition("@")[0],
        f"{whom(subject)} {redact(way.address)}" if way else whom(subject),
        way.channel if way else "",
        "template problem" if why_not else state,
        why_not or reason,
        verdict.not_before if isinstance(verdict, Hold) else None,
        rule_in_words(telling.route),
        _language(resources, telling, way.channel) if way else "",
        _sender(resources, telling, way) if way else "",
        segments(text).parts if way and way.channel != EMAIL else 0,
        text,
        first.known.tenant.timezone,
        first.row is not None and first.row.generation > 0,
    )


def _state(one: Prospect) -> tuple[str, str]:
    """How it stands, or would: a word and a sentence."""
    match one.verdict:
        case Send():
            return "goes out", ""
        case Hold() as verdict:
            return "waits", in_words(reason_of(verdict))
        case Skip() as verdict:
            return "is not said", in_words(reason_of(verdict))
        case None:
            return (one.row.state, in_words(one.row.reason)) if one.row else ("", "")


def _text(resources: Resources, telling: Telling, channel: str) -> tuple[str, str]:
    """The words, or what is wrong with their template."""
    try:
        words = words_of(resources.templates, telling, channel)
    except TemplateProblem as problem:
        return "", str(problem)
    return (f"{words.subject}\n\n{words.text}" if words.subject else words.text), ""


def _language(resources: Resources, telling: Telling, channel: str) -> str:
    tongue = tongue_for(resources.templates, telling, channel)
    return (
        tongue.language
        if tongue.is_wanted
        else f"{tongue.language} (its words in {tongue.wanted} are missing)"
    )


def _sender(resources: Resources, telling: Telling, way: Send | Hold) -> str:
    named = sender_for(telling.policy, telling.route, way.channel, way.address)
    return sender_of(resources.settings, way.channel, named)
