"""``duebell policy check``: all that the lint looks at, over the books of the ledger where there is one."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from duebell.deciding.known import Known
from duebell.deciding.routing import facts_for
from duebell.keys import INVOICE_OVERDUE
from duebell.ledger.tables import Tenant
from duebell.lint import books
from duebell.lint.books import Vocabulary
from duebell.lint.findings import Grade, LintFinding, Remark, findings_of, hint
from duebell.lint.hours import of_hours
from duebell.lint.made_up import made_up
from duebell.lint.names import Met, of_consent, of_countries, of_currencies, of_rules, of_teams, of_words
from duebell.lint.rule_order import swallowed
from duebell.lint.saying import Saying, as_variant
from duebell.lint.team_tellings import hearing_all
from duebell.lint.tellings import Sample, samples
from duebell.lint.template_files import kinds_of, of_files
from duebell.policy_file.policy import Policy
from duebell.policy_file.slips import Slip
from duebell.policy_file.toml_lines import Place, lines_of


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found, by file and line, and over how many invoices and messages."""

    findings: tuple[LintFinding, ...]
    invoices: int
    messages: int

    def graded(self, grade: Grade) -> int:
        """How many findings are of this grade."""
        return sum(one.grade is grade for one in self.findings)


@dataclass(slots=True)
class _Seen:
    """What the books of those have who share a policy; ``prefix`` is where theirs stands in the file.

    What is for all is held against everybody's books, and who has the same rules counts together.
    """

    policy: Policy
    prefix: Place
    met: Met = field(default_factory=Met)
    known: Vocabulary = field(default_factory=Vocabulary)

    def has_written(self, place: Place, lines: Collection[Place]) -> bool:
        """Whether a line is these organisations' own; the others are looked at where they stand for all."""
        ends = range(2, len(place) + 1)
        return not self.prefix or any((*self.prefix, *place[:end]) in lines for end in ends)


def check(
    text: str, file: str, policy: Policy, folder: Path, engine: Engine | None, now: datetime
) -> Checked:
    """Everything there is to find about a policy that was read from ``text``, and about its templates.

    ``file`` is how findings call the policy; the templates are called by their places in their ``folder``.
    Without a ledger (``engine``) it goes by invented invoices alone.
    """
    one = _Check(policy, Saying(folder), now)
    if engine is not None:
        one.read(engine)
    one.invent()
    own = findings_of(one.remarks(lines_of(text)), text, file)
    found = [*own, *of_files(folder, policy), *one.saying.findings()]
    return Checked(tuple(sorted(_each_once(found))), one.invoices, one.saying.said)


def _each_once(found: Iterable[LintFinding]) -> Iterator[LintFinding]:
    """A template that is refused unread is refused with every message too."""
    at: dict[tuple[str, int], list[str]] = {}
    for one in found:
        earlier = at.setdefault((one.file, one.line), [])
        if not any(one.said.startswith(said) for said in earlier):
            earlier.append(one.said)
            yield one


class _Check:
    def __init__(self, policy: Policy, saying: Saying, now: datetime) -> None:
        self._policy = policy
        self.saying = saying
        self._now = now
        self._of_all = _Seen(policy, ())
        self._seen: dict[Place, _Seen] = {(): self._of_all}
        for tenant_id, own in policy.tenants.items():
            met = self._of_all.met if own.rules == policy.rules else Met()
            self._seen["tenant", tenant_id] = _Seen(own, ("tenant", tenant_id), met)
        self._organisations: list[Tenant] = []
        self._variants: set[tuple[Place, int]] = set()
        self.invoices = 0

    def read(self, engine: Engine) -> None:
        """Say what could be said of everything in the books."""
        self._organisations = list(books.organisations(engine))
        for tenant in self._organisations:
            seen = self._of(tenant)
            known = [seen.known] if seen is self._of_all else [seen.known, self._of_all.known]
            for contact in books.contacts(engine, tenant.tenant_id):
                for one in known:
                    one.add_contact(contact)
            for theirs in books.customers(engine, tenant.tenant_id):
                self.invoices += len(theirs)
                for words in known:
                    words.add_invoices(theirs)
                self._say_all(theirs, seen)

    def _say_all(self, theirs: Sequence[Known], seen: _Seen) -> None:
        """Each message of a customer's once, though several stages may have it."""
        said: set[object] = set()
        for sample in samples(theirs, seen.policy, "", self._now):
            self._met(sample, seen)
            if sample.mark not in said:
                said.add(sample.mark)
                self.saying.say(sample, seen.policy, measured=sample.is_counted)

    def _of(self, tenant: Tenant) -> _Seen:
        return self._seen.get(("tenant", tenant.tenant_id), self._of_all)

    def _met(self, sample: Sample, seen: _Seen) -> None:
        telling = sample.telling
        if not telling.subject.team and len(telling.told) == 1:
            subject = telling.subject
            facts = facts_for(subject.kind, subject.subject_id, subject.step, telling.first)
            seen.met.count(facts, seen.policy)
            self._variants.add((seen.prefix, telling.route.place))

    def invent(self) -> None:
        """Say what could be said of the invented invoices, and each rule's variant that nothing has met."""
        for seen in self._seen.values():
            organisation = next((one for one in self._organisations if self._of(one) is seen), None)
            for what, theirs in made_up(self._now, *([organisation] if organisation else [])):
                plain = hearing_all(seen.policy).model_copy(update={"rules": ()})
                for sample in samples(theirs, plain, what, self._now):
                    measured = sample.is_counted and not self.invoices
                    self.saying.say(sample, seen.policy, measured=measured)
                    self._say_in_every_language(sample, seen)
            self._invent_variants(seen)

    def _say_in_every_language(self, sample: Sample, seen: _Seen) -> None:
        for language in self.saying.languages():
            if language != sample.telling.language:
                other = replace(sample.telling, language=language)
                self.saying.say(Sample(other, sample.called), seen.policy, measured=False)

    def _invent_variants(self, seen: _Seen) -> None:
        """By the invoice that has every field: which of them its rule demands, nobody knows."""
        _, whole = next(made_up(self._now))
        for place, rule in enumerate(seen.policy.rules, start=1):
            if rule.then.template is None or (seen.prefix, place) in self._variants:
                continue
            plain = seen.policy.model_copy(update={"rules": ()})
            for sample in samples(whole, plain, "an invented invoice", self._now):
                subject, stages = sample.telling.subject, rule.when.stage
                of_stage = subject.kind != INVOICE_OVERDUE or not stages or _stage(sample) in stages
                if subject.kind in kinds_of(rule) and of_stage and not subject.team:
                    self.saying.say(as_variant(sample, place, seen.policy), seen.policy, measured=False)

    def remarks(self, lines: dict[Place, int]) -> Iterator[Remark]:
        """What there is to say about the policy itself."""
        for seen in self._seen.values():
            found = [
                *of_hours(seen.policy),
                *swallowed(seen.policy.rules),
                *of_teams(seen.policy, lines, seen.prefix),
                *of_currencies(seen.policy),
                *of_countries(seen.policy),
                *(one for one in self._by_books(seen) if seen.has_written(one.slip.place, lines)),
            ]
            for one in found:
                yield replace(one, slip=Slip((*seen.prefix, *one.slip.place), one.slip.words))
        known = {one.tenant_id for one in self._organisations}
        for tenant_id in self._policy.tenants if known else ():
            if tenant_id not in known:
                words = "is no organisation that is connected. `duebell doctor` lists those that are"
                yield hint(("tenant", tenant_id), words)

    def _by_books(self, seen: _Seen) -> Iterator[Remark]:
        yield from of_rules(seen.policy, seen.met)
        if seen.known.groups or seen.known.currencies:
            yield from of_consent(seen.policy, seen.known)
        if seen.known.currencies:
            yield from of_words(seen.policy, seen.known)


def _stage(sample: Sample) -> str:
    return sample.telling.subject.step.partition("@")[0]
