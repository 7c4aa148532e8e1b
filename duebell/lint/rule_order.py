"""Rules that are never reached, because one before them has every message that they would match."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from duebell.lint.findings import Remark, mend
from duebell.policy.rules import looks_like
from duebell.policy_file.rules import ContactWhen, InvoiceSort, Rule, RuleWhen, TrackingWhen
from duebell.policy_file.shapes import Kind

EITHER_WAY = {InvoiceSort.ONE_OFF, InvoiceSort.REPEATING}
"""Every invoice is one of these."""


def swallowed(rules: Sequence[Rule]) -> Iterator[Remark]:
    """Each rule that an earlier one leaves nothing to."""
    for later in range(len(rules)):
        for earlier in range(later):
            if _is_within(rules[later].when, rules[earlier].when) and rules[earlier].when != RuleWhen():
                name = f" ({rules[earlier].name})" if rules[earlier].name else ""
                words = f"is never reached: rule {earlier + 1}{name} comes first and matches all that it does"
                yield mend(("rule", later), f"{words}. Move it before that one")
                break


def _is_within(later: RuleWhen, earlier: RuleWhen) -> bool:
    """Whether each message that the later conditions match is one that the earlier ones match too."""
    return all(
        wanted is None or _is_narrower(name, getattr(later, name), wanted, later)
        for name in RuleWhen.model_fields
        for wanted in [getattr(earlier, name)]
    )


def _is_narrower(name: str, own: Any, wanted: Any, later: RuleWhen) -> bool:
    if name == "kind" and own is None and later.stage is not None:
        own = (Kind.INVOICE_OVERDUE,)  # nothing else has stages
    if name == "invoice_type" and set(wanted) >= EITHER_WAY:
        return True
    if isinstance(wanted, str) and not wanted.strip("*"):
        return True
    return own is not None and NARROWER.get(name, _is_same)(own, wanted)


def _is_same(own: Any, wanted: Any) -> bool:
    return bool(own == wanted)


def _is_part(own: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return {_plain(one) for one in own} <= {_plain(one) for one in wanted}


def _is_pattern_within(own: str, wanted: str) -> bool:
    """Where a whole pattern looks like another, its signs stand under the other's ``*``."""
    return own.casefold() == wanted.casefold() or ("?" not in wanted and looks_like(own, wanted))


def _is_tracking(own: TrackingWhen, wanted: TrackingWhen) -> bool:
    return (_plain(own.category), _plain(own.option)) == (_plain(wanted.category), _plain(wanted.option))


def _is_contact_within(own: ContactWhen, wanted: ContactWhen) -> bool:
    theirs = own.model_dump(exclude_none=True)
    return all(
        not pattern.strip("*") or (name in theirs and _is_pattern_within(theirs[name], pattern))
        for name, pattern in wanted.model_dump(exclude_none=True).items()
    )


def _plain(word: str) -> str:
    return word.strip().casefold()


NARROWER: dict[str, Callable[[Any, Any], bool]] = {
    "kind": _is_part,
    "stage": _is_part,
    "invoice_type": _is_part,
    "currency": _is_part,
    "country": _is_part,
    "region": _is_part,
    "branding_theme": _is_part,
    "contact_group": _is_part,
    "amount_from": lambda own, wanted: own >= wanted,
    "amount_below": lambda own, wanted: own <= wanted,
    "reference": _is_pattern_within,
    "contact": _is_contact_within,
    "tracking": _is_tracking,
}
"""How each condition is compared; one that is not here is within another only where it is the same."""
