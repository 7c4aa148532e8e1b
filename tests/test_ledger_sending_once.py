"""Nobody is told twice and nothing is lost, whatever happens in whatever order: a machine that tries.

Twilio, Xero and the people are played, and they keep the truth: which messages were accepted, what stands in
the books, who said stop. After every step the ledger must agree with them.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from sqlmodel import select

from duebell.deciding.known import known_of
from duebell.errors import Permanent, Transient
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import attempts, notifications, preferences, tenants, unsettled
from duebell.ledger.engine import reading
from duebell.ledger.evidence import PROGRESS
from duebell.ledger.invariants import broken
from duebell.ledger.notifications import Claim
from duebell.ledger.receipts import NewReceipt, keep_receipt
from duebell.ledger.tables import Attempt, Notification
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.sending.giving_back import hold_cancelled
from duebell.sending.resending import resend
from duebell.sending.telling import rules_of, tell
from duebell.settling.settling import settle
from duebell.states import NotificationState, may_follow
from tests.support_facts import (
    NOW,
    TENANT,
    Hand,
    invoice_body,
    keep_contact,
    keep_invoice,
    numbered,
    open_tenant,
    read_contacts_anew,
    resources_over,
    sid,
)
from tests.support_ledger import copied, hurried
from tests.support_truth import MINUTES, POSTS, Killed, Message, Post, World, answered, as_listed, attempt_of

S = NotificationState
PEOPLE = range(3)
ENDED = {*PROGRESS, S.SKIPPED, S.GIVEN_UP, S.PARKED}


def mobile(person: int) -> str:
    return f"+6421123456{person}"


class SendingOnce(RuleBasedStateMachine):
    """The sending half, with everybody who acts on it."""

    template: Path
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        (folder / "policy.toml").write_text('[invoice_issued]\nopens = "00:00"\ncloses = "00:00"\n')
        self.engine = hurried(copied(self.template, folder))
        self.clock = Hand()
        self.world = World()
        self.posts: list[Post] = []
        self.resources = resources_over(
            self.engine, self.clock, twilio=self.twilio, DUEBELL_POLICY=str(folder / "policy.toml")
        )
        self._watch_states()
        open_tenant(self.engine)
        for person in PEOPLE:
            keep_contact(self.engine, numbered(100 + person), mobile(person))
            self.read_again(TENANT, [numbered(person)], NOW)

    def _watch_states(self) -> None:
        """The database itself notes every step of a state, whatever statement made it."""
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TABLE step (before TEXT, after TEXT)"))
            connection.execute(
                text(
                    "CREATE TRIGGER stepped AFTER UPDATE OF state ON notification WHEN old.state <> new.state"
                    " BEGIN INSERT INTO step VALUES (old.state, new.state); END"
                )
            )

    def read_again(self, _tenant: str, invoice_ids: Sequence[str], _since: datetime) -> None:
        """Xero, asked for invoices."""
        read_contacts_anew(self.engine, invoice_ids, self.clock.now)
        for invoice_id in invoice_ids:
            self._read_one(invoice_id)

    def _read_one(self, invoice_id: str) -> None:
        person = int(invoice_id[-4:], 16)
        body = invoice_body(
            invoice_id,
            updated_at=NOW,
            Status=self.world.statuses.get(person, "AUTHORISED"),
            Contact={"ContactID": numbered(100 + person)},
        )
        keep_invoice(self.engine, body, read_at=self.clock())

    def twilio(self, request: httpx.Request) -> httpx.Response:
        """Twilio, asked to send a message or to list them."""
        if request.method == "GET":
            to = request.url.params["To"]
            listed = [as_listed(one) for one in self.world.messages if one.to == to]
            return httpx.Response(200, json={"messages": listed, "page_size": 50, "next_page_uri": None})
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        post = self.posts.pop() if self.posts else Post()
        try:
            self._was_right(form)
        except AssertionError as wrong:
            self.world.wrongs.append(wrong)  # raised here, the sender would take it for a lost answer
        self._meanwhile(post.before)
        answer = self._accept(form) if post.was_accepted else None
        self._meanwhile(post.after)
        return answered(post.outcome, answer, request)

    def _was_right(self, form: dict[str, str]) -> None:
        """What must hold at the moment of every POST."""
        attempt_id = attempt_of(form)
        with reading(self.engine) as session:
            attempt = session.get_one(Attempt, attempt_id)
            row = session.get_one(Notification, attempt.notification_id)
            known = known_of(session, TENANT, [row.subject_id])[row.subject_id]
        assert (attempt.state, attempt.text, attempt.address) == ("sending", form["Body"], form["To"])
        assert (row.state, row.lease_token) == ("sending", attempt.lease_token)
        assert self.clock() - known.read.read_at <= timedelta(seconds=60)
        assert known.read.invoice.status == "authorised"
        assert int(form["To"][-1]) not in self.world.stopped
        assert not self.world.braked

    def _accept(self, form: dict[str, str]) -> Message:
        number = len(self.world.messages) + 1
        message = Message(sid(number), attempt_of(form), form["To"], form["Body"], self.clock())
        self.world.messages.append(message)
        return message

    def _meanwhile(self, events: Sequence[tuple[str, float]]) -> None:
        happen: dict[str, Callable[[float], object]] = {
            "time": self._pass,
            "reap": lambda _: self._reap(),
            "settle": lambda _: self._settle(),
            "rival": lambda _: self._rival("a rival"),
            "receipts": lambda _: self._all_receipts(),
            "brake": lambda _: self._brake(),
        }
        for name, amount in events:
            happen[name](amount)

    def _pass(self, minutes: float) -> None:
        self.clock.now += timedelta(minutes=minutes)

    def _check_dedup(self, owner: str) -> list[Claim]:
        ids = [numbered(person) for person in PEOPLE]
        with writing(self.engine, self.clock()) as book:
            rules = rules_of(self.resources)
            rows = plan_kind(book, TENANT, INVOICE_ISSUED, ids, rules, actor="test", flow_run_id=owner)
            claims = [notifications.claim(book, row.notification_id or 0, owner) for row in rows]
        return [one for one in claims if one is not None]

    def _tell(self, claim: Claim) -> None:
        with suppress(Killed, Transient):
            tell(self.resources, claim, self.read_again, flow_run_id=None)

    def _rival(self, owner: str) -> None:
        for claim in self._check_dedup(owner):
            self._tell(claim)

    def _all_receipts(self) -> None:
        for number in range(len(self.world.messages)):
            self._receipt(number, "delivered")

    def _receipt(self, number: int, status: str) -> None:
        message = self.world.messages[number]
        code = 30005 if status == "undelivered" else None
        news = NewReceipt(message.sid, status, code, message.attempt_id, "{}")
        keep_receipt(self.engine, news, now=self.clock())

    @initialize(target=claims, posts=st.lists(POSTS, min_size=2, max_size=3))
    def first_run(self, posts: list[Post]) -> Any:
        """The first run of the flow."""
        return self._run("run 1", posts)

    @rule(
        target=claims,
        owner=st.sampled_from(["run 1", "run 2"]),
        minutes=MINUTES,
        posts=st.lists(POSTS, min_size=1, max_size=3),
    )
    def run(self, owner: str, minutes: float, posts: list[Post]) -> Any:
        """Later, a run takes what is owed by then, and sends some of it; the rest stays in its hands."""
        self._pass(minutes)
        self._reap()
        return self._run(owner, posts)

    def _run(self, owner: str, posts: list[Post]) -> Any:
        claims = self._check_dedup(owner)
        for claim, post in zip(claims, posts, strict=False):
            self._send(claim, post)
        return multiple(*claims)

    @rule(claim=claims, post=POSTS)
    def send(self, claim: Claim, post: Post) -> None:
        """A run sends what it claimed, perhaps long ago, perhaps a second time."""
        self._send(claim, post)

    def _send(self, claim: Claim, post: Post) -> None:
        self.posts = [post]
        self._tell(claim)
        self.posts = []

    @rule(claim=claims)
    def cancel(self, claim: Claim) -> None:
        """A person cancels a run in the UI."""
        hold_cancelled(self.resources, claim)

    @rule(minutes=MINUTES, reaps=st.booleans(), settles=st.booleans())
    def time(self, minutes: float, *, reaps: bool, settles: bool) -> None:
        """Time passes, and the net may or may not look."""
        self._pass(minutes)
        if reaps:
            self._reap()
        if settles:
            self._settle()

    def _reap(self) -> None:
        with writing(self.engine, self.clock()) as book:
            attempts.reap(book, timedelta(minutes=1))

    def _settle(self) -> None:
        with reading(self.engine) as session:
            due = unsettled.unsettled(session, now=self.clock())
        for one in due:
            settle(self.resources, one)

    @precondition(lambda self: self.world.messages)
    @rule(number=st.integers(0, 3), status=st.sampled_from(["queued", "sent", "delivered", "undelivered"]))
    def receipt(self, number: int, status: str) -> None:
        """Twilio says something of one of its messages."""
        self._receipt(number % len(self.world.messages), status)

    @rule(
        person=st.sampled_from(PEOPLE),
        what=st.sampled_from(["again", "again", "PAID", "VOIDED", "STOP", "brake"]),
    )
    def somebody_acts(self, person: int, what: str) -> None:
        """The bookkeeper changes an invoice, a customer says stop, an operator wants it again or brakes."""
        if what == "STOP":
            self.world.stopped.add(person)
            with writing(self.engine, self.clock()) as book:
                preferences.refuse_address(book, mobile(person), "sms", preferences.OPTED_OUT, "STOP")
        elif what == "brake":
            self._brake()
        elif what == "again":
            self._resend(person)
        else:
            self.world.statuses[person] = what

    def _brake(self) -> None:
        self.world.braked = not self.world.braked
        stopped = self.world.braked
        tenants.set_brake(self.engine, stopped=stopped, by="test", why="", scope="all", now=self.clock())

    def _resend(self, person: int) -> None:
        """Only where nothing is still to come: otherwise the person would hear of it twice by surprise."""
        own = [row for row in self._rows()[0] if row.subject_id == numbered(person)]
        open_ones = [row.key for row in own if S(row.state) not in ENDED]
        with suppress(Permanent):
            resend(self.resources, numbered(person), by="person:test", why="asked")
            assert not open_ones

    @invariant()
    def nobody_is_told_twice_and_the_ledger_tells_the_truth(self) -> None:
        """The ledger holds its invariants, and agrees with what Twilio accepted."""
        assert self.world.wrongs == []
        assert broken(self.engine) == []
        rows, by_attempt = self._rows()
        accepted = Counter(by_attempt[one.attempt_id].notification_id for one in self.world.messages)
        assert all(count == 1 for count in accepted.values())
        for message in self.world.messages:
            attempt = by_attempt[message.attempt_id]
            assert attempt.sid in {None, message.sid}
            assert attempt.state in {"sending", "unknown", "parked", "accepted"}
        for row in rows:
            if S(row.state) in PROGRESS:
                assert accepted[row.notification_id or 0]
        with self.engine.connect() as connection:
            steps = connection.execute(text("SELECT DISTINCT before, after FROM step")).all()
        assert [step for step in steps if not may_follow(S(step[0]), S(step[1]))] == []

    def _rows(self) -> tuple[Sequence[Notification], dict[str, Attempt]]:
        with reading(self.engine) as session:
            rows = session.exec(select(Notification)).all()
            return rows, {one.attempt_id: one for one in session.exec(select(Attempt)).all()}

    def teardown(self) -> None:
        """Everything is well again, and time passes: every message reaches its end, and none is lost."""
        if self.world.braked:
            self._brake()
        for _ in range(5):
            self._pass(61)
            self._reap()
            self._settle()
            self._rival("the last run")
        self._all_receipts()
        self.nobody_is_told_twice_and_the_ledger_tells_the_truth()
        rows, by_attempt = self._rows()
        assert {S(row.state) for row in rows} <= ENDED
        assert {by_attempt[one.attempt_id].sid for one in self.world.messages} == {
            one.sid for one in self.world.messages
        }
        self._nobody_is_forgotten(rows)
        self.resources.close()
        self.folder.cleanup()

    def _nobody_is_forgotten(self, rows: Sequence[Notification]) -> None:
        for person in PEOPLE:
            own = [row for row in rows if row.subject_id == numbered(person)]
            untold = all(S(row.state) is S.SKIPPED for row in own)
            assert not untold or person in self.world.stopped or person in self.world.statuses


def test_nobody_is_told_twice_and_nothing_is_lost(migrated: Path) -> None:
    machine = cast("type[SendingOnce]", type("FromTemplate", (SendingOnce,), {"template": migrated}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
