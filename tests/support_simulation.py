"""One simulated life: the real sending code over a real ledger, and all around it played, drawn by a seed.

Played are time, Twilio, Xero's books, the people, and Prefect as a queue that may hand out a run twice. Real
are planning, the claim, the last look, the intent, the POST's reading, the record, the reaper, the net,
settling and the receipts.
"""

import json
import random
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

import httpx
from sqlalchemy import Engine, event

from deployments.receiver.net import Net
from deployments.receiver.parts import Patience
from deployments.receiver.prefect_rest import PrefectPlace, PrefectRest
from deployments.receiver.twilio_status import receipt_of
from duebell.errors import Transient
from duebell.keys import INVOICE_ISSUED, INVOICE_OVERDUE
from duebell.ledger import batches, dispatch, notifications, scheduled, snapshots
from duebell.ledger.receipts import keep_receipt
from duebell.ledger.turns import TURNS, Turns
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.planning.sweeping import sweep
from duebell.sending.giving_back import hold_cancelled
from duebell.sending.telling import rules_of, tell
from duebell.twilio.callbacks import STATUS_PATH, read_status_callback
from duebell.twilio.inbound import Wish
from duebell.twilio.signature import callback_is_genuine, form_pairs, public_url
from duebell.xero.parse import parse_contact_body, parse_invoice_body
from tests.support_clockwork import Clockwork, Nerves
from tests.support_facts import (
    NOW,
    TENANT,
    nobody_answers,
    numbered,
    open_tenant,
    resources_over,
)
from tests.support_fates import FATES, Fate
from tests.support_played_email import PlayedEmail
from tests.support_played_sendgrid import PlayedSendGrid
from tests.support_played_twilio import Disorder, PlayedTwilio
from tests.support_simulated_books import Truth, contact_in_xero, invoice_in_xero
from tests.support_simulated_looks import settle
from tests.support_simulated_office import Office
from tests.support_simulated_policies import A_WEEK_AGO, policy_of, senders_of
from tests.support_steps import watch_steps

HOURS = 3_600.0
POLLED_EVERY = 15 * 60.0
TOGETHER = 10
"""Invoices that one webhook brings, and one run tells of."""


@dataclass(frozen=True, slots=True)
class Plot:
    """What is to happen in one life. Shares lie between 0 and 1, times are in seconds."""

    seed: int
    messages: int = 400
    workers: int = 3
    arrive_within: float = 600.0
    nerves: Nerves = field(default_factory=lambda: Nerves(dies=0.003, stops=0.0012))
    fates: tuple[Fate, ...] = FATES
    disorder: Disorder = field(default_factory=Disorder)
    changes: float = 0.12
    """Share of the invoices that are paid, voided or edited, or whose customer says stop."""
    reads_fail: float = 0.03
    nudges_lost: float = 0.1
    runs_twice: float = 0.05
    holds: bool = False
    """Whether Twilio holds the messages until their time."""
    legs: bool = False
    """Whether an email says what an SMS could not."""
    emails: bool = False
    """Whether all is said by email, which SendGrid holds."""
    reminds: bool = False
    """Whether it is of invoices that are overdue, those of a customer together."""
    office: bool = False
    """Whether people stop, review, cancel, ask again and resend."""
    opens: str = "00:00"

    @property
    def last_send(self) -> float:
        """When the last message goes out where nothing goes wrong, in seconds."""
        return self.arrive_within + 1_500


class SteppingTurns(Turns):
    """The line of the writers, where one acts at a time: nobody waits, and each takes a step before it."""

    def __init__(self, clockwork: Clockwork) -> None:
        super().__init__(10.0)
        self._clockwork = clockwork

    @contextmanager
    def one(self) -> Generator[None]:
        """Step, and then write without a step in between."""
        self._clockwork.step()
        self._clockwork.still = True
        try:
            yield
        finally:
            self._clockwork.still = False


@dataclass(frozen=True, slots=True)
class Job:
    """A run that Prefect hands out: of invoices to be told of, or none to settle."""

    owner: str
    invoice_ids: tuple[str, ...] = ()
    confirms: bool = False
    by_person: bool = False
    is_cancelled: bool = False


class Life:
    """Builds everything on an empty ledger of its own, plays it to its end, and leaves it to be judged."""

    def __init__(self, plot: Plot, engine: Engine, folder: Path) -> None:
        self.plot, self.engine = plot, engine
        self.kind = INVOICE_OVERDUE if plot.reminds else INVOICE_ISSUED
        self.chance = random.Random(plot.seed)  # noqa: S311 - it guards nothing
        random.seed(plot.seed)  # the code's own jitter
        self.clockwork = Clockwork(NOW, self.chance, plot.nerves)
        self.office = Office(self)
        self.twilio = PlayedTwilio(
            self.clockwork, self.chance, self._ring, plot.fates, plot.disorder, self._follow
        )
        self.email = (PlayedSendGrid if plot.emails else PlayedEmail)(
            self.clockwork, self.chance, plot.disorder, engine
        )
        (folder / "policy.toml").write_text(policy_of(plot))
        variables = {"DUEBELL_POLICY": str(folder / "policy.toml")} | senders_of(plot)
        self.resources = resources_over(
            engine, self.clockwork, xero=nobody_answers, twilio=self._provider, **variables
        )
        self.truths = [self._truth(number) for number in range(plot.messages)]
        self.jobs: list[Job] = []
        self._keys: set[str] = set()
        open_tenant(engine)
        watch_steps(engine)
        if engine.dialect.name == "sqlite":
            engine.update_execution_options(**{TURNS: SteppingTurns(self.clockwork)})
        event.listen(engine, "checkout", self._before_each_transaction)

    def _before_each_transaction(self, *_: object) -> None:
        self.clockwork.step()

    def _provider(self, request: httpx.Request) -> httpx.Response:
        is_email = request.url.path.startswith(("/v1/Emails", "/v3/"))
        return self.email(request) if is_email else self.twilio(request)

    def is_in_a_log(self, number: str) -> bool:
        """Whether a person finds anything about an invoice at Twilio."""
        by_sms, by_email = self.twilio.is_in_the_log(number), self.email.is_in_the_log(number)
        return by_sms or by_email

    def _truth(self, number: int) -> Truth:
        if self.plot.reminds:
            return Truth(number, f"+6421{number - number % 3:07}", [(NOW, "AUTHORISED", "115")], A_WEEK_AGO)
        shared = number - number % 2 if number % 10 < 2 else number  # some customers have two invoices
        return Truth(number, f"+6421{shared:07}", [(NOW, "AUTHORISED", "115")])

    def play(self) -> bool:
        """Live until everything has reached its end; returns whether it did within a simulated day."""
        for start in range(0, self.plot.messages, TOGETHER):
            ids = range(start, min(start + TOGETHER, self.plot.messages))
            at = self.chance.uniform(0, self.plot.arrive_within)
            self.clockwork.at(at, lambda some=ids: self._arrive(some))
            for number in ids:
                self._something_happens(self.truths[number], at)
        if self.plot.office:
            self.office.opens()
        for _ in range(self.plot.workers):
            self.clockwork.act(self._work, reborn=self.chance.uniform(2, 60))
        # Who holds messages has to be awake when they go out: the receiver dies, and is started again, and so
        # is a worker that has a place left for the last looks.
        self.clockwork.act(self._watch, reborn=15.0, stops=not self.plot.holds)
        if self.plot.holds:
            self.clockwork.act(self._look_on, reborn=15.0, stops=False)
            for poll in range(1, int(2 * self.plot.last_send / POLLED_EVERY)):
                self.clockwork.at(poll * POLLED_EVERY, self._poll)
        for hour in range(1, 25):
            self.clockwork.at(hour * HOURS, lambda: self.jobs.append(Job("cron", confirms=True)))
        try:
            # What is due at one time is looked at in their order; as many are held as there are.
            with patch("uuid.uuid4", self._drawn_id), patch.object(batches, "MOST_HELD", len(self.truths)):
                return self.clockwork.run(self._is_quiet, most_seconds=24 * HOURS)
        finally:
            self.clockwork.close()
            event.remove(self.engine, "checkout", self._before_each_transaction)

    def _drawn_id(self) -> UUID:
        return UUID(int=self.chance.getrandbits(128), version=4)

    def _is_quiet(self) -> bool:
        if self.clockwork.seconds < self.plot.last_send or self.jobs or self.twilio.under_way:
            return False
        with self.engine.connect() as connection:
            found = connection.exec_driver_sql(OPEN)
            return found.scalar_one() == 0

    def _something_happens(self, truth: Truth, arrived: float) -> None:
        if self.chance.random() >= self.plot.changes:
            return
        after = arrived + self.chance.choice([self.chance.uniform(0, 5), self.chance.expovariate(1 / 120)])
        promised = ["promised"] if self.plot.reminds else []
        what = self.chance.choice(["PAID", "VOIDED", "edited", "STOP", *promised])
        self.clockwork.at(after, lambda: self._happens(truth, what))

    def _happens(self, truth: Truth, what: str) -> None:
        if what == "STOP":
            self._say_stop(truth.to)
            return
        if what == "promised":
            self.clockwork.at(self.chance.uniform(60, 1_500), lambda: self._turn_promise(truth))
            self._turn_promise(truth)
            return
        now = self.clockwork.now
        status, amount = ("AUTHORISED", "230") if what == "edited" else (what, "115")
        truth.states.append((now, status, amount))
        if self.plot.holds and self.chance.random() >= self.plot.nudges_lost:
            self.clockwork.at(self.chance.uniform(1, 30), lambda: self._hear_of(truth.number))

    def _turn_promise(self, truth: Truth) -> None:
        truth.turns_promise(self.clockwork.now)
        self._hear_of(truth.number)
        self._sweep()

    def _follow(self, what: str, to: str) -> None:
        if what == "STOP":
            self._say_stop(to)
        else:
            self.office.stops_for_a_while(150)

    def _say_stop(self, to: str) -> None:
        self.office.writes(to, Wish.STOP)
        if self.plot.office and self.chance.random() < 0.5:
            self.office.regrets(to)

    def _poll(self) -> None:
        """Xero is asked for what changed since the last time, an hour more of it than is needed."""
        since = self.clockwork.now - timedelta(seconds=POLLED_EVERY + HOURS)
        for truth in self.truths:
            if len(truth.states) > 1 and truth.states[-1][0] > since:
                self._hear_of(truth.number)

    def _hear_of(self, number: int) -> None:
        """A webhook about an invoice that changed is drained: what Twilio holds of it is looked at soon."""
        self._keep([number])
        with writing(self.engine, self.clockwork.now) as book:
            scheduled.look_soon_at_invoices(book, TENANT, [numbered(number)])

    def _arrive(self, numbers: Sequence[int]) -> None:
        """A webhook is drained: the invoices are read and planned, and a run is nudged, or that is lost."""
        now, ids = self.clockwork.now, [numbered(number) for number in numbers]
        self._keep(numbers)
        if self.plot.reminds:
            self._sweep()
            return
        with writing(self.engine, now) as book:
            plan_kind(
                book,
                TENANT,
                INVOICE_ISSUED,
                ids,
                rules_of(self.resources),
                actor="drain",
                flow_run_id="drain",
            )
            if self.chance.random() >= self.plot.nudges_lost:
                dispatch.run_started(book, TENANT, INVOICE_ISSUED, ids)
                self._hand_out(Job(f"drained {numbers[0]}", tuple(ids)))

    def _sweep(self) -> None:
        """Stages have come: what is due is planned, and runs are nudged, or that is lost."""
        for run in sweep(self.resources, TENANT, flow_run_id="sweep").runs:
            if self.chance.random() >= self.plot.nudges_lost:
                with writing(self.engine, self.clockwork.now) as book:
                    dispatch.run_started(book, TENANT, run.kind, run.record_ids)
                self._hand_out(Job(f"swept {self.clockwork.seconds}", tuple(run.record_ids)))

    def _hand_out(self, job: Job) -> None:
        twice = self.chance.random() < self.plot.runs_twice
        is_early = self.clockwork.seconds < self.plot.last_send
        if self.plot.office and is_early and self.chance.random() < 0.03:
            job = replace(job, is_cancelled=True)
        self.jobs += [job, job] if twice else [job]

    def run_by_hand(self, invoice_ids: tuple[str, ...]) -> None:
        """A person runs the flow for these."""
        self.jobs.append(Job(f"by hand {self.clockwork.seconds:.0f}", invoice_ids, by_person=True))

    def _keep(self, numbers: Sequence[int]) -> None:
        now = self.clockwork.now
        read = [invoice_in_xero(self.truths[number]) for number in numbers]
        contacts = [contact_in_xero(self.truths[number]) for number in numbers]
        parsed = [(parse_contact_body(one), one) for one in contacts]
        snapshots.save_contacts(self.engine, TENANT, parsed, read_at=now)
        invoices = [(parse_invoice_body(one), one) for one in read]
        snapshots.save_invoices(self.engine, TENANT, invoices, read_at=now)

    def read_again(self, _tenant: str, invoice_ids: Sequence[str], _since: datetime) -> None:
        """Xero, asked for invoices once more."""
        self.clockwork.step(self.chance.uniform(0.2, 2))
        if self.chance.random() < self.plot.reads_fail:
            raise Transient("Xero could not be read")
        self._keep([int(one[-12:], 16) for one in invoice_ids])

    def _work(self) -> None:
        while True:
            if not self.jobs:
                self.clockwork.wait(2 if self.clockwork.seconds < self.plot.last_send else 60)
                continue
            job = self.jobs.pop(0)
            if job.invoice_ids:
                self._tell(job)
            else:
                settle(self, confirms=job.confirms)

    def _look_on(self) -> None:
        while True:
            job = next((one for one in self.jobs if not one.invoice_ids), None)
            if job is None:
                self.clockwork.wait(2 if self.clockwork.seconds < self.plot.last_send else 60)
                continue
            self.jobs.remove(job)
            settle(self, confirms=job.confirms)

    def _tell(self, job: Job) -> None:
        with writing(self.engine, self.clockwork()) as book:
            rules = rules_of(self.resources)
            if job.by_person:
                dispatch.run_again(book, TENANT, self.kind, job.invoice_ids, job.owner)
            rows = plan_kind(
                book, TENANT, self.kind, job.invoice_ids, rules, actor="test", flow_run_id=job.owner
            )
            claims = notifications.claim_all(book, rows, job.owner)
        for claim in claims:
            for wait in (2, 4, 8, 16, None):
                try:
                    if job.is_cancelled:
                        hold_cancelled(self.resources, claim)
                    else:
                        tell(self.resources, claim, self.read_again, flow_run_id=job.owner)
                    break
                except Transient:
                    if wait is not None:
                        self.clockwork.wait(wait)

    def _watch(self) -> None:
        """The receiver's own net, over a Prefect that is played."""
        place = PrefectPlace("http://prefect/api", transport=httpx.MockTransport(self._prefect))
        net = Net(self.engine, PrefectRest(place), self.clockwork, Patience())
        while True:
            net.look()
            seconds = self.clockwork.seconds
            brisk = 900 if not self.plot.holds else 2 * self.plot.last_send
            is_awake = self.plot.holds or seconds < 2 * brisk + 1_200  # what is held has its looks
            self.clockwork.wait(10 if seconds < brisk else 60 if is_awake else 300)

    def _prefect(self, request: httpx.Request) -> httpx.Response:
        if self.chance.random() < 0.01:
            return httpx.Response(503)
        if request.method == "GET":
            return httpx.Response(200, json={"id": "settle" if "settle" in request.url.path else "notify"})
        body = json.loads(request.content)
        key: str = body["idempotency_key"]
        if key not in self._keys:
            self._keys.add(key)
            self._hand_out(Job(key, tuple(body["parameters"].get("invoice_ids", ()))))
        return httpx.Response(201, json={"id": key})

    def _ring(self, query: str, raw: bytes, signature: str) -> None:
        """Twilio calls the receiver."""
        settings = self.resources.settings
        url = public_url(settings.public_url, STATUS_PATH, query)
        assert callback_is_genuine(url, raw, signature, settings.twilio_signing_tokens)
        receipt = receipt_of(read_status_callback(form_pairs(raw)), query)
        assert receipt is not None
        keep_receipt(self.engine, receipt, now=self.clockwork.now)


OPEN = (
    "SELECT (SELECT count(*) FROM notification"
    " WHERE state IN ('planned', 'held', 'claimed', 'sending', 'unknown', 'scheduled'))"
    " + (SELECT count(*) FROM attempt WHERE state = 'accepted' AND provider_status"
    " NOT IN ('delivered', 'undelivered', 'failed', 'canceled', 'read'))"
)
