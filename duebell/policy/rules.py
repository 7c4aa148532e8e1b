"""Branching: which words and which way a message gets, or whether it is left unsaid.

The rules stand in the policy in their order, and the first one that matches decides alone. Where none
matches, the message is as its kind says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from duebell.model import Contact, Invoice
from duebell.policy_file.rules import ContactWhen, InvoiceSort, Rule, RuleWhen
from duebell.policy_file.shapes import Channel, Kind, is_listed

CONTACT_FIELDS = tuple(ContactWhen.model_fields)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a rule can ask about one message. ``amount`` is what is due, in ``currency``.

    ``branding_themes`` is the theme's id, and its name where that is known; ``country`` is an ISO code.
    """

    kind: Kind
    stage: str = ""
    sorts: frozenset[InvoiceSort] = frozenset()
    currency: str = ""
    amount: Decimal | None = None
    branding_themes: frozenset[str] = frozenset()
    reference: str = field(default="", repr=False)
    contact_groups: tuple[str, ...] = ()
    contact: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    country: str = ""
    region: str = ""
    tracking: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """What the first rule that matches says. ``place`` counts from 1 and is 0 where no rule matched.

    ``why`` names the conditions that the rule has, never the person's own fields.
    """

    place: int = 0
    name: str = ""
    why: tuple[str, ...] = ()
    template: str | None = None
    language: str | None = None
    channels: tuple[Channel, ...] | None = None
    sender: str | None = None
    email_sender: str | None = None
    tone: str | None = None
    silence: bool = False


NO_RULE = Route()
"""What a message gets for which no rule says anything."""


def decide_route(facts: Facts, rules: Sequence[Rule]) -> Route:
    """What the first rule that matches says of a message; ``NO_RULE`` where none does."""
    for place, rule in enumerate(rules, start=1):
        conditions = dict(_conditions(facts, rule.when))
        if all(conditions.values()):
            then = rule.then
            return Route(
                place,
                rule.name or "",
                tuple(conditions),
                template=then.template,
                language=then.language,
                channels=then.channels,
                sender=then.sender,
                email_sender=then.email_sender,
                tone=then.tone,
                silence=then.silence,
            )
    return NO_RULE


def sorts_of(invoice: Invoice) -> frozenset[InvoiceSort]:
    """How an invoice came about; credit notes, overpayments and prepayments set off are all credit."""
    came_about = InvoiceSort.REPEATING if invoice.repeating_invoice_id else InvoiceSort.ONE_OFF
    credited = {InvoiceSort.CREDIT_APPLIED} if (invoice.amount_credited or 0) > 0 else set[InvoiceSort]()
    return frozenset({came_about} | credited)


def facts_of(
    kind: Kind,
    invoice: Invoice,
    contact: Contact | None,
    *,
    country: str,
    stage: str = "",
    theme_name: str = "",
    paid: Decimal | None = None,
) -> Facts:
    """What the rules can ask about a message; ``country`` is the recipient's (ISO code).

    The amount is what is due, or for a payment what was ``paid``.
    """
    return Facts(
        kind=kind,
        stage=stage,
        sorts=sorts_of(invoice),
        currency=invoice.currency,
        amount=invoice.amount_due if paid is None else paid,
        branding_themes=frozenset(one for one in (invoice.branding_theme_id, theme_name) if one),
        reference=invoice.reference,
        contact_groups=contact.groups if contact else (),
        contact={name: str(getattr(contact, name)) for name in CONTACT_FIELDS} if contact else {},
        country=country,
        region=contact.region if contact else "",
        tracking=tuple((one.category, one.option) for one in invoice.tracking),
    )


def looks_like(text: str, pattern: str) -> bool:
    """Whether a whole text has a pattern in which ``*`` is any text and ``?`` any character.

    Capitals do not matter. It takes at most the product of the two lengths, whatever somebody typed.
    """
    letters, signs = text.casefold(), pattern.casefold()
    at, sign, star, resumed = 0, 0, -1, 0
    while at < len(letters):
        if sign < len(signs) and signs[sign] == "*":
            star, resumed, sign = sign, at, sign + 1
        elif sign < len(signs) and signs[sign] in {"?", letters[at]}:
            at, sign = at + 1, sign + 1
        elif star >= 0:
            resumed, at, sign = resumed + 1, resumed + 1, star + 1
        else:
            return False
    return all(left == "*" for left in signs[sign:])


def _conditions(facts: Facts, when: RuleWhen) -> Iterator[tuple[str, bool]]:
    """Each condition that a rule has, and whether it is true of the message."""
    if when.kind is not None:
        yield "kind", facts.kind in when.kind
    if when.stage is not None:
        yield "stage", facts.stage in when.stage
    if when.invoice_type is not None:
        yield "invoice_type", not facts.sorts.isdisjoint(when.invoice_type)
    if when.country is not None:
        yield "country", facts.country in when.country
    if when.region is not None:
        yield "region", is_listed(facts.region, when.region)
    yield from _money_conditions(facts, when)
    yield from _word_conditions(facts, when)


def _money_conditions(facts: Facts, when: RuleWhen) -> Iterator[tuple[str, bool]]:
    """An amount that Xero did not tell is in no range."""
    if when.currency is not None:
        yield "currency", facts.currency in when.currency
    if when.amount_from is not None:
        yield "amount_from", facts.amount is not None and facts.amount >= when.amount_from
    if when.amount_below is not None:
        yield "amount_below", facts.amount is not None and facts.amount < when.amount_below


def _word_conditions(facts: Facts, when: RuleWhen) -> Iterator[tuple[str, bool]]:
    if when.branding_theme is not None:
        themes = when.branding_theme
        yield "branding_theme", any(is_listed(one, themes) for one in facts.branding_themes)
    if when.reference is not None:
        yield "reference", looks_like(facts.reference, when.reference)
    if when.contact_group is not None:
        groups = when.contact_group
        yield "contact_group", any(is_listed(one, groups) for one in facts.contact_groups)
    if when.tracking is not None:
        wanted = _plain(when.tracking.category, when.tracking.option)
        yield "tracking", any(_plain(*one) == wanted for one in facts.tracking)
    for name, pattern in (when.contact or ContactWhen()).model_dump(exclude_none=True).items():
        yield f"contact.{name}", looks_like(facts.contact.get(name, ""), pattern)


def _plain(category: str, option: str) -> tuple[str, str]:
    return category.strip().casefold(), option.strip().casefold()
