"""Reminders of several invoices in one message, whatever happens in whatever order: a machine that tries.

Which invoices one message tells changes all the time, for they are promised, paid, refused and found again.
Nobody is told twice of what Twilio did not deny, nothing is lost, and what the ledger says of an invoice is
what the messages that named it came to.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import select

from duebell.keys import is_contact
from duebell.ledger.attempts import reap
from duebell.ledger.conclusions import Conclusion
from duebell.ledger.engine import reading
from duebell.ledger.evidence import conclude
from duebell.ledger.invariants import broken
from duebell.ledger.meaning import PROGRESS
from duebell.ledger.notifications import Claim
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.tables import Attempt, Notification
from duebell.ledger.writing import writing
from duebell.states import AttemptState, NotificationState
from tests.support_facts import ACCOUNT, MOBILE, keep_contact, numbered, open_tenant, receipt, sid
from tests.support_ledger import SqliteLedgers
from tests.support_overdue import Phones, at, due, office_over, policy_text
from tests.support_truth import attempt_of

S, A = NotificationState, AttemptState
DUE = date(2026, 11, 2)  # a Monday
LIMITS = "[limits]\nreminders_a_day = 10\nreminders_a_week = 50\n"
INVOICES: tuple[int, ...] = (1, 2, 3)
EXAMPLES = int(os.environ.get("DUEBELL_TEST_EXAMPLES", "12"))
MINUTE = timedelta(minutes=1)
PROMISED = {"ExpectedPaymentDate": "2026-11-12T00:00:00"}
OPEN, LATER, PAID = "open", "promised", "paid"
FIELDS = {OPEN: due(DUE), LATER: due(DUE, **PROMISED), PAID: due(DUE, Status="PAID", AmountDue=0)}
OUTCOMES = {"201": True, "429": False, "429, taken": True, "500": False, "500, taken": True}
"""What Twilio answers, and whether it takes the message."""


@dataclass
class Posted:
    """A message that was posted, and what is true of it."""

    attempt_id: str
    invoices: frozenset[int]
    outcome: str
    sid: str | None
    is_proven: bool
    """Whether the ledger has been told that it exists."""


@dataclass(kw_only=True)
class PlayedPhones(Phones):
    """Twilio, which keeps the truth."""

    outcomes: list[str] = field(default_factory=list[str])
    posted: list[Posted] = field(default_factory=list[Posted])
    looks: Callable[[frozenset[int]], None]
    to_others: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        if form["To"] != MOBILE:  # a team hears of what is long overdue
            self.to_others += 1
            return self._taken(sid(1_000 + self.to_others))
        invoices = frozenset(one for one in INVOICES if f"INV-{one:04}" in form["Body"])
        self.looks(invoices)
        outcome = self.outcomes.pop() if self.outcomes else "201"
        number = sid(len(self.posted) + 1) if OUTCOMES[outcome] else None
        self.posted.append(Posted(attempt_of(form), invoices, outcome, number, outcome == "201"))
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        status = int(outcome[:3])
        if status != 201:
            return httpx.Response(status, json={"code": 20429, "message": "no", "status": status})
        return self._taken(number)

    def _taken(self, number: str | None) -> httpx.Response:
        return httpx.Response(201, json={"sid": number, "status": "queued", "account_sid": ACCOUNT})


class GroupsOnce(RuleBasedStateMachine):
    """One customer, three invoices, and everybody who acts on what is said of them."""

    ledgers: SqliteLedgers
    folder: Path
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.engine = self.ledgers.fresh(Path(tempfile.mkdtemp(dir=self.folder)))
        open_tenant(self.engine)
        keep_contact(self.engine, read_at=at(DUE - timedelta(days=30)))
        self.phones = PlayedPhones(looks=self._may_be_told)
        text = policy_text("gap_days = 0\n", rest=LIMITS)
        now = at(DUE + timedelta(days=1), hour=1)
        self.office = office_over(self.engine, self.folder, now, text, phones=self.phones)
        self.books = dict[int, str].fromkeys(INVOICES, OPEN)
        self.wrongs: list[str] = []
        for one in INVOICES:
            self._keep(one, OPEN)

    @rule(invoice=st.sampled_from(INVOICES), what=st.sampled_from([OPEN, OPEN, LATER, LATER, PAID]))
    def happens(self, invoice: int, what: str) -> None:
        """An invoice is paid, or that its customer pays later is entered in Xero or taken out of it."""
        if self.books[invoice] != PAID:
            self._keep(invoice, what)

    @rule()
    def sweeps(self) -> None:
        """What is due is planned; nobody takes the runs up."""
        self.office.sweeps()

    @rule(minutes=st.sampled_from([1, 8, 25]))
    def time_passes(self, minutes: int) -> None:
        self.office.later(minutes=minutes)
        with writing(self.engine, self.office.clock.now) as book:
            reap(book, MINUTE)

    @rule(target=claims, some=st.sets(st.sampled_from(INVOICES), min_size=1))
    def a_run_claims(self, some: set[int]) -> object:
        """A run takes what it finds, and gets no further yet."""
        owner = f"run {self.office.clock.now}"
        return multiple(*self.office.claims([numbered(one) for one in sorted(some)], owner))

    @rule(
        claim=claims,
        outcome=st.sampled_from(sorted(OUTCOMES)),
        meanwhile=st.sampled_from(["", "", "a receipt", "a change"]),
        data=st.data(),
    )
    def it_says_so(self, claim: Claim, outcome: str, meanwhile: str, data: st.DataObject) -> None:
        """The run goes on; something else may happen while Twilio answers."""
        self.phones.outcomes = [outcome]
        if meanwhile == "a receipt":
            self.phones.meanwhile = lambda: self.a_receipt_comes(data)
        elif meanwhile == "a change":
            invoice, what = data.draw(st.sampled_from(INVOICES)), data.draw(st.sampled_from([OPEN, LATER]))
            self.phones.meanwhile = lambda: self.happens(invoice, what)
        self.office.says(claim)

    @rule(data=st.data())
    def a_receipt_comes(self, data: st.DataObject) -> None:
        """The network tells of a message that Twilio took, whatever it answered."""
        taken = [one for one in self.phones.posted if one.sid is not None]
        if taken:
            self._tell_of(
                data.draw(st.sampled_from(taken)), data.draw(st.sampled_from(["sent", "delivered"]))
            )

    @rule(data=st.data(), in_vain=st.booleans())
    def it_is_looked_for(self, data: st.DataObject, *, in_vain: bool) -> None:
        """What nobody knows the outcome of is found, proven not to be there, or left to a person."""
        unknown = self._unknown()
        if unknown:
            self._settle(data.draw(st.sampled_from(unknown)), in_vain=in_vain)

    @invariant()
    def the_ledger_agrees_with_itself_and_with_the_world(self) -> None:
        """Nothing is told that must not be, and no message is called what it did not come to."""
        assert self.wrongs == []
        assert broken(self.engine) == []

    def teardown(self) -> None:
        """Everything is well again, and time passes: every invoice reaches its end, and none is lost."""
        for one in [one for one in INVOICES if self.books[one] == LATER]:
            self._keep(one, OPEN)
        for _ in range(8):
            self._all_goes_well()
        for posted in self.phones.posted:
            if posted.sid is not None:
                self._tell_of(posted, "delivered")
        self.the_ledger_agrees_with_itself_and_with_the_world()
        for row in self._rows():
            self._is_told_of(row)

    def _all_goes_well(self) -> None:
        self.time_passes(25)
        self.office.sweeps()
        self.phones.outcomes = []
        self.office.nets()
        for posted in self._unknown():
            self._settle(posted, in_vain=False)

    def _is_told_of(self, row: Notification) -> None:
        invoice, state = int(row.invoice_id[-4:], 16) & 0xFFF, S(row.state)
        named = [one for one in self.phones.posted if invoice in one.invoices and one.sid is not None]
        assert (state in PROGRESS) == bool(named), f"INV-{invoice:04} is {state}, and {len(named)} told it"
        ended = {S.PARKED, *([S.SKIPPED] if self.books[invoice] == PAID else [])}
        assert named or state in ended, f"INV-{invoice:04} is {state} {row.reason} and was never told"

    def _may_be_told(self, invoices: frozenset[int]) -> None:
        """Whether a message may name these now; raised there, Twilio's caller would take it for an answer."""
        for one in invoices:
            if self.books[one] != OPEN:
                self.wrongs.append(f"INV-{one:04} is told, and it is {self.books[one]}")
        for earlier in self.phones.posted:
            denied = A(self._attempt(earlier).state) in {A.NOT_PROCESSED, A.REFUSED} and not earlier.is_proven
            if earlier.invoices & invoices and not denied:
                self.wrongs.append(f"{sorted(earlier.invoices & invoices)} told again after {earlier}")

    def _keep(self, invoice: int, what: str) -> None:
        self.books[invoice] = what
        self.office.keeps(invoice, **FIELDS[what])

    def _tell_of(self, posted: Posted, status: str) -> None:
        posted.is_proven = True
        news = replace(receipt(status), sid=posted.sid or "", attempt_id=posted.attempt_id)
        keep_receipt(self.engine, news, now=self.office.clock.now)

    def _settle(self, posted: Posted, *, in_vain: bool) -> None:
        again = self.office.clock.now
        if in_vain:
            known = Conclusion(A.PARKED, S.PARKED, "no_evidence", settled_by="settle")
        elif posted.sid is not None:
            posted.is_proven = True
            known = Conclusion(A.ACCEPTED, S.ACCEPTED, sid=posted.sid, provider_status="queued")
        else:
            known = Conclusion(A.NOT_PROCESSED, S.PLANNED, "not there", not_before=again)
        with writing(self.engine, again) as book:
            conclude(book, posted.attempt_id, known)

    def _unknown(self) -> list[Posted]:
        return [one for one in self.phones.posted if self._attempt(one).state == A.UNKNOWN.value]

    def _attempt(self, posted: Posted) -> Attempt:
        with reading(self.engine) as session:
            return session.exec(select(Attempt).where(Attempt.attempt_id == posted.attempt_id)).one()

    def _rows(self) -> list[Notification]:
        with reading(self.engine) as session:
            return [row for row in session.exec(select(Notification)).all() if is_contact(row.recipient)]


def test_what_is_told_together_is_told_once_whichever_message_told_it(
    sqlite: SqliteLedgers, tmp_path: Path
) -> None:
    given = {"ledgers": sqlite, "folder": tmp_path}
    machine = cast("type[GroupsOnce]", type("OverLedgers", (GroupsOnce,), given))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
