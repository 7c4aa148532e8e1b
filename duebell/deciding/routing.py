"""Branching applied: what the rules of the policy say of one message, and the policy as it is for it."""

from decimal import Decimal

from duebell.countries import region_of
from duebell.deciding.known import Known
from duebell.keys import PAYMENT_RECEIVED
from duebell.model import Contact
from duebell.phone import PhoneFound, best_mobile
from duebell.policy.ladder import read_step
from duebell.policy.rules import NO_RULE, Facts, Route, decide_route, facts_of
from duebell.policy_file.policy import Policy
from duebell.policy_file.shapes import Kind


def route_of(kind: str, subject_id: str, step: str, known: Known, policy: Policy) -> Route:
    """What the first rule that matches says of a message to the customer."""
    return decide_route(facts_for(kind, subject_id, step, known), policy.rules) if policy.rules else NO_RULE


def facts_for(kind: str, subject_id: str, step: str, known: Known) -> Facts:
    """What the rules can ask about a message to the customer."""
    return facts_of(
        Kind(kind),
        known.read.invoice,
        known.contact,
        country=country_of(known.contact, known.tenant.country),
        stage=read_step(step)[0] if step else "",
        theme_name=known.theme_name,
        paid=_paid(kind, subject_id, known),
    )


def routed(policy: Policy, kind: str, route: Route) -> Policy:
    """The policy with the rule's channels in the place of the kind's own."""
    if route.channels is None:
        return policy
    section = policy.of_kind(kind).model_copy(update={"channels": route.channels})
    return policy.model_copy(update={kind: section})


def language_for(policy: Policy, route: Route, country: str, team: str = "") -> str:
    """The language that is wanted for a message to somebody in this country, or to a team.

    The rule's, or the team's own; else that of the country; else the default one.
    """
    if team:
        own = policy.team[team].language if team in policy.team else None
        return own or policy.language.default
    return route.language or policy.language.by_country.get(country) or policy.language.default


def said_as(policy: Policy, kind: str, route: Route, country: str) -> tuple[object, ...]:
    """All by which rules shape a message to somebody in this country: its words, its ways and its senders.

    What differs in any of it is told apart.
    """
    section, sending = policy.of_kind(kind), policy.sending
    return (
        route.template,
        route.tone,
        language_for(policy, route, country),
        section.channels if route.channels is None else route.channels,
        sending.sender if route.sender is None else route.sender,
        sending.email_sender if route.email_sender is None else route.email_sender,
    )


def country_of(contact: Contact | None, organisation_country: str) -> str:
    """The recipient's country: of their number, else as typed at the contact, else the organisation's."""
    if contact is None:
        return organisation_country
    found = best_mobile(contact.phones, contact.country, organisation_country)
    region = found.region if isinstance(found, PhoneFound) else region_of(contact.country)
    return region or organisation_country


def _paid(kind: str, subject_id: str, known: Known) -> Decimal | None:
    payment = known.payment(subject_id) if kind == PAYMENT_RECEIVED else None
    return payment.amount if payment else None
