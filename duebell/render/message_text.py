"""The words of a message, made from what the ledger knows at that moment."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from duebell.deciding.deciding import route_for, subject_of
from duebell.deciding.known import Known
from duebell.deciding.routing import language_for
from duebell.deciding.senders import sender_for
from duebell.errors import Permanent, TemplateProblem
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import groups
from duebell.ledger.tables import Leg, Notification
from duebell.ledger.writing import Writing
from duebell.policy.reaching import EMAIL
from duebell.policy.rules import Route
from duebell.policy.teams import team_of
from duebell.policy_file.policy import Policy
from duebell.render.email_text import EmailText, render_email
from duebell.render.rendering import Templates
from duebell.render.segments import plain
from duebell.render.template_folders import Tongue, team_template
from duebell.render.wording import Telling, Told, values_for
from duebell.render.wording_shapes import DIGEST, is_past_due


def write_text(
    book: Writing,
    templates: Templates,
    lead: Notification,
    leg: Leg,
    known: Mapping[str, Known],
    policy: Policy,
    *,
    at: datetime | None = None,
) -> str:
    """Have the leg that a notification is told by say what is known now; one that says it already is kept.

    ``at`` is when it will be read, where that is not now. Raises ``TemplateProblem``.
    """
    rows = [lead, *groups.beside(book.session, lead)]
    telling = telling_in(rows, known, policy, at or book.now)
    source = _source_of(telling)
    if leg.rendered_from != source:
        if not telling.subject.team and telling.contact is None:
            raise Permanent(f"notification {leg.notification_id} has no contact to write to")
        _say(leg, words_of(templates, telling, leg.channel))
        leg.sender = sender_for(telling.policy, telling.route, leg.channel, leg.address)
        leg.rendered_from = source
        book.session.add(leg)
    return leg.text


def telling_in(
    rows: Sequence[Notification], known: Mapping[str, Known], policy: Policy, now: datetime
) -> Telling:
    """What the message of these rows tells; the first of them leads."""
    return telling_of([Told(subject_of(row), known[row.invoice_id]) for row in rows], policy, now)


def telling_of(told: Sequence[Told], policy: Policy, now: datetime) -> Telling:
    """What one message tells; the rules are asked about the news that leads."""
    first = told[0]
    own = policy.for_tenant(first.known.tenant.tenant_id)
    route = route_for(first.subject, first.known, own)
    telling = Telling(tuple(told), own, route, first.known.today(now))
    team = team_of(telling.subject.team) if telling.subject.team else ""
    return replace(telling, language=language_for(own, route, telling.country, team))


def template_of(telling: Telling) -> str:
    """The template: the kind's, the kind's for a team, or the variant that a rule names."""
    if telling.subject.team:
        return team_template(DIGEST if telling.is_digest else telling.subject.kind)
    variant = telling.route.template
    return f"{telling.subject.kind}/{variant}" if variant else telling.subject.kind


def tongue_for(templates: Templates, telling: Telling, channel: str) -> Tongue:
    """The language that the message is said in by this channel, and the one that was wanted for it."""
    default = telling.policy.language.default
    return templates.tongue_of(template_of(telling), channel, telling.language, default)


def words_of(templates: Templates, telling: Telling, channel: str) -> EmailText:
    """What the message says by this channel; an SMS has its text alone. Raises ``TemplateProblem``."""
    language = tongue_for(templates, telling, channel).language
    section = telling.policy.of_kind(telling.subject.kind)
    saying = replace(telling, language=language, with_links=channel in section.online_link)
    values, folder = values_for(saying), f"{template_of(telling)}/{language}"
    try:
        if channel == EMAIL:
            return render_email(templates, folder, values)
        return EmailText("", plain(templates.render_sms(folder, values)), "")
    except TemplateProblem as problem:
        raise TemplateProblem(f"{_asked_by(telling.route)}{problem}") from None


def _say(leg: Leg, words: EmailText) -> None:
    leg.text = words.text
    if leg.channel == EMAIL:
        leg.email_subject, leg.html = words.subject, words.html


def _asked_by(route: Route) -> str:
    """The rule that wants the template, where it was a rule."""
    if route.template is None:
        return ""
    return f"rule {route.place}{f' ({route.name})' if route.name else ''} wants the template: "


def _source_of(telling: Telling) -> str:
    """A hash that changes with anything that the text may rest on, the day among it.

    Of an issued invoice the day tells no more than whether it is past due.
    """
    parts = [f"{one.subject}{one.known.read.body}{one.known.read.online_link}" for one in telling.told]
    changes_daily = telling.subject.team or telling.subject.kind != INVOICE_ISSUED
    day = telling.today if changes_daily else "past due" if is_past_due(telling) else ""
    people = [one.known.contact for one in telling.told]
    asked = [telling.route, telling.language, telling.policy.sending]
    return hashlib.sha256(f"{parts}{people}{asked}{day}".encode()).hexdigest()
