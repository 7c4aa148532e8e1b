"""Held messages: whatever happens in whatever order, one copy at most goes out, and none that is untrue."""

import tempfile
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from duebell.errors import Transient
from duebell.ledger import attempts, preferences
from duebell.ledger.invariants import broken
from duebell.ledger.receipts import NewReceipt, keep_receipt
from duebell.ledger.writing import writing
from tests.support_facts import MINUTE, MOBILE
from tests.support_ledger import copied, hurried
from tests.test_watching import HOLDING, Office

ALWAYS = HOLDING.replace("[invoice_issued]\n", '[invoice_issued]\nopens = "00:00"\ncloses = "00:00"\n')
FATES = st.lists(st.sampled_from(["taken", "lost", "vanished"]), max_size=3)


class HoldingOnce(RuleBasedStateMachine):
    """One invoice, its customer, a Twilio that holds messages, and all that may go wrong around them."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        self.office = Office(hurried(copied(self.template, folder)), folder, ALWAYS)
        self.untrue_since: datetime | None = None

    @rule(fates=FATES, cancel_fates=FATES, lag=st.sampled_from([0, 1, 8]))
    def a_run_tells(self, fates: list[str], cancel_fates: list[str], lag: int) -> None:
        """A run sends what is owed; what becomes of it, and of cancellations, is drawn."""
        twilio = self.office.twilio
        twilio.fates, twilio.cancel_fates, twilio.lag = fates, cancel_fates, lag * MINUTE
        self.office.tells()

    @rule(minutes=st.sampled_from([1, 4, 20, 30]))
    def time(self, minutes: int) -> None:
        """Time passes, and what is due is looked at each minute."""
        end = self.office.clock() + minutes * MINUTE
        while self.office.clock() < end:
            with writing(self.office.engine, self.office.clock()) as book:
                attempts.reap(book, MINUTE)
            with suppress(Transient):  # a cancellation without an answer; the next look asks again
                self.office.until(end)

    @rule(what=st.sampled_from(["VOIDED", "PAID", "STOP", "another amount"]))
    def somebody_acts(self, what: str) -> None:
        """The bookkeeper changes the invoice, or the customer says stop."""
        if what == "another amount":
            self.office.invoice = {**self.office.invoice, "Total": 230, "AmountDue": 230}
            return
        self.untrue_since = self.untrue_since or self.office.clock()
        if what == "STOP":
            with writing(self.office.engine, self.office.clock()) as book:
                preferences.refuse_address(book, MOBILE, "sms", preferences.OPTED_OUT, "STOP")
        else:
            self.office.invoice = {**self.office.invoice, "Status": what, "AmountDue": 0}

    @rule()
    def receipts(self) -> None:
        """Twilio tells of what it sent."""
        for one in self.office.twilio.went_out():
            news = NewReceipt(one.sid, "sent", None, one.attempt_id, "{}")
            keep_receipt(self.office.engine, news, now=self.office.clock())

    @invariant()
    def one_copy_goes_out_at_most_and_only_while_it_is_true(self) -> None:
        """What people have, by Twilio's own truth; and the ledger agrees."""
        assert broken(self.office.engine) == []
        sent = self.office.twilio.went_out()
        assert len(sent) <= 1
        for one in sent:
            assert one.send_at is not None
            assert self.untrue_since is None or one.send_at - 2 * MINUTE < self.untrue_since

    def teardown(self) -> None:
        """All is well again: what is still true has gone out in the end."""
        self.office.twilio.fates, self.office.twilio.cancel_fates = [], []
        for _ in range(4):
            self.office.tells()
            self.time(60)
            self.receipts()
        self.one_copy_goes_out_at_most_and_only_while_it_is_true()
        assert self.untrue_since is not None or len(self.office.twilio.went_out()) == 1
        self.office.resources.close()
        self.folder.cleanup()


def test_what_is_held_goes_out_once_and_only_while_it_is_true(migrated: Path) -> None:
    machine = cast("type[HoldingOnce]", type("FromTemplate", (HoldingOnce,), {"template": migrated}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=8,
            stateful_step_count=10,
            deadline=timedelta(minutes=2),
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
