"""The verdict on a simulated life: what the played provider accepted, held against what the ledger says."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import product

from sqlmodel import col, select

from duebell.hours.scheduling import ahead_of_time
from duebell.ledger.engine import reading
from duebell.ledger.invariants import broken
from duebell.ledger.tables import Attempt, Audit, Notification
from duebell.states import NEXT_LEG_FROM, TRANSITIONS, NotificationState, may_follow, may_stand_apart
from tests.support_facts import numbered
from tests.support_played_twilio import Taken
from tests.support_simulated_books import Truth, number_of
from tests.support_simulation import Life
from tests.support_steps import steps_of

S = NotificationState
FRESH = timedelta(seconds=60)
TOLD = {S.ACCEPTED, S.SENT, S.DELIVERED, S.UNDELIVERED, S.FAILED}
CAME_BACK = {"undelivered", "failed"}
REFUSED = {"21211", "21610"}
FINAL_FLOOR = 0.95
THE_LATEST_THAT_SPEAKS = select(Notification).order_by(
    col(Notification.reason) != "told_after_all", col(Notification.generation)
)
"""Of a message and its re-sends that which says how the person stands, last."""
TAKEN_BACK = timedelta(minutes=4)
"""What ended so long before a held message goes out is seen by the last looks, each on a fresh read."""


@dataclass
class Verdict:
    """What one life, or many, came to. ``wrongs`` are what must never be, each with its seed."""

    lives: int = 0
    owed: int = 0
    sent: int = 0
    ended: int = 0
    doubled: int = 0
    lost: int = 0
    parked: int = 0
    parked_though_sent: int = 0
    skipped: int = 0
    given_up: int = 0
    late: int = 0
    """Told of what had ended by the time Twilio took it, though it was true when the attempt was written."""
    posts: Counter[str] = field(default_factory=Counter[str])
    steps: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """How often each step of the table of states was made; looked at on SQLite."""
    deaths: int = 0
    stops: int = 0
    told_late: list[str] = field(default_factory=list[str])
    """What was told though it had ended long enough before to be taken back, had anybody been there to do it;
    each with its seed."""
    wrongs: list[str] = field(default_factory=list[str])

    def add(self, other: "Verdict") -> None:
        """Count another in."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def stale(self) -> int:
        """How many were told of what had ended long before."""
        return len(self.told_late)

    @property
    def progress(self) -> float:
        """The share that came to an end which the ledger can explain."""
        return self.ended / self.owed if self.owed else 0.0

    @property
    def sound(self) -> bool:
        """Whether nothing was doubled, lost or wrong, and something was done."""
        return not (self.doubled or self.lost or self.wrongs) and self.progress >= FINAL_FLOOR


def judge(life: Life, *, in_time: bool) -> Verdict:
    """The verdict on a life that was played."""
    by_number: dict[str, list[Taken]] = defaultdict(list)
    for message in [one for one in (*life.twilio.messages, *life.email.messages) if one.went_out]:
        for number in message.numbers:
            by_number[number].append(message)
    with reading(life.engine) as session:
        rows = {row.subject_id: row for row in session.exec(THE_LATEST_THAT_SPEAKS).all()}
        attempts = {one.attempt_id: one for one in session.exec(select(Attempt)).all()}
    found = Verdict(
        lives=1,
        owed=len(life.truths),
        posts=life.twilio.seen + life.email.seen,
        deaths=life.clockwork.deaths,
        stops=life.clockwork.stops,
        steps=Counter(steps_of(life.engine)),
        wrongs=[*life.twilio.wrongs, *life.email.wrongs, *broken(life.engine)],
    )
    if not in_time:
        found.wrongs.append("it was not over within a simulated day")
    found.wrongs += _illegal(found.steps, _told_apart(life))
    for truth in life.truths:
        messages = by_number.pop(number_of(truth), [])
        _count(found, life, truth, rows.get(numbered(truth.number)), messages)
        for message in messages:
            attempt = attempts.get(message.attempt_id)
            found.wrongs += [f"{message.number}: {what}" for what in _untrue(life, truth, message, attempt)]
            ended = truth.ended_for(email=message.is_email)
            if ended is not None and message.went_at > ended:
                found.late += 1
                if message.send_at is not None and message.send_at - ended > _taken_back(message):
                    found.told_late.append(f"seed {life.plot.seed}: {message.number}")
    found.wrongs += [f"a message about {number}, which nobody owed" for number in by_number]
    found.wrongs = [f"seed {life.plot.seed}: {what}" for what in found.wrongs]
    return found


def _taken_back(message: Taken) -> timedelta:
    return TAKEN_BACK + ahead_of_time(in_batch=message.is_email)


def _told_apart(life: Life) -> int:
    with reading(life.engine) as session:
        return len(session.exec(select(Audit.sequence).where(Audit.action == "told apart")).all())


def _illegal(steps: Counter[tuple[str, str]], told_apart: int) -> list[str]:
    """The steps that the table does not have; what was told apart may have gone back, each once."""
    odd = {step: count for step, count in steps.items() if not _legal(*step)}
    went_back = sum(count for (one, other), count in odd.items() if may_stand_apart(S(one), S(other)))
    is_so = went_back <= told_apart
    wrong = [step for step in odd if not (is_so and may_stand_apart(S(step[0]), S(step[1])))]
    return [f"a step from {one} to {other}" for one, other in wrong]


def _legal(before: str, after: str) -> bool:
    is_next_leg = S(before) in NEXT_LEG_FROM and S(after) is S.PLANNED
    return may_follow(S(before), S(after)) or is_next_leg


def unseen(steps: Iterable[tuple[str, str]]) -> list[str]:
    """The steps of the table of states that were not made."""
    seen = set(steps)
    every = [(before.value, after.value) for before in S for after in TRANSITIONS[before]]
    return sorted(f"{before} to {after}" for before, after in every if (before, after) not in seen)


def _count(
    found: Verdict, life: Life, truth: Truth, row: Notification | None, messages: Sequence[Taken]
) -> None:
    number = number_of(truth)
    state = S(row.state) if row is not None else None
    heard = [one for one in messages if one.status not in CAME_BACK]
    came_back = bool(messages) and not heard
    # An SMS that came back is what an email follows, and that may end in any way.
    sent = bool(heard if life.plot.legs and state not in TOLD else messages)
    is_doubled = _is_told_twice(life, number, messages)
    found.sent += sent
    found.doubled += is_doubled
    found.ended += state in TOLD | {S.SKIPPED, S.GIVEN_UP, S.PARKED}
    found.parked += state is S.PARKED
    found.parked_though_sent += state is S.PARKED and sent
    found.skipped += state is S.SKIPPED
    found.given_up += state is S.GIVEN_UP
    if is_doubled:
        found.wrongs.append(f"{number} was told {len(messages)} times")
    why = "" if came_back and state is S.SKIPPED else _why_lost(life, truth, state, sent=sent)
    if why:
        found.lost += 1
        found.wrongs.append(f"{number} is {why}")
    at_last = "delivered" if any(one.status == "delivered" for one in messages) else ""
    at_last = at_last or (messages[-1].status if messages else "")
    if sent and state is not None and state in TOLD and state.value != at_last:
        found.wrongs.append(f"{number} is {state.value}, and Twilio says {at_last}")


def _is_told_twice(life: Life, number: str, messages: Sequence[Taken]) -> bool:
    """Whether one way told it twice, or two did, though Twilio had not denied the one for which another was
    taken.
    """
    heard = [one for one in messages if one.status not in CAME_BACK]
    by_one_way = max(Counter(one.is_email for one in messages).values(), default=0)
    was_denied = any("taken after all" in one.fate for one in life.twilio.posts[number])
    return by_one_way > 1 or (len(heard) > 1 and not was_denied)


def _why_lost(life: Life, truth: Truth, state: NotificationState | None, *, sent: bool) -> str:
    """In what way the ledger does not know what became of a message; empty where it does."""
    if state is None:
        return "not in the ledger"
    if state is S.PARKED:
        return ""
    if state in TOLD:
        is_known = sent or (state is S.FAILED and life.twilio.expired(number_of(truth)))
        return "" if is_known else "called told, and Twilio has nothing"
    if sent:
        return f"called {state.value}, and Twilio has it"
    if state is S.SKIPPED and truth.ended is None and not _was_refused(life, truth):
        return "skipped, and was still true"
    if state is S.GIVEN_UP and not _refused(life, number_of(truth)):
        return "given up, and was never refused"
    return "" if state in {S.SKIPPED, S.GIVEN_UP} else f"still {state.value}"


def _was_refused(life: Life, truth: Truth) -> bool:
    """Whether Twilio refused the customer's number, for this or for another invoice of theirs, or said twice
    that nobody has it.
    """
    theirs = [number_of(one) for one in life.truths if one.to == truth.to]
    in_vain = sum(one.had_no_handset for one in life.twilio.messages if one.to == truth.to)
    return in_vain > 1 or any(_refused(life, number) for number in theirs)


def _refused(life: Life, number: str) -> bool:
    return bool(REFUSED & {one.fate.partition(",")[0] for one in life.twilio.posts[number]})


def _untrue(life: Life, truth: Truth, message: Taken, attempt: Attempt | None) -> Iterator[str]:
    """What was wrong with a message at the moment at which it was written down."""
    if attempt is None:
        yield "posted without an attempt in the ledger"
        return
    began = attempt.started_at
    if (attempt.text, attempt.address) != (message.body, message.to):
        yield "other words or another address than were written down"
    if message.to != (truth.email if message.is_email else truth.to):
        yield "to another customer"
    if attempt.read_age_seconds > FRESH.total_seconds():
        yield f"told on a read that was {attempt.read_age_seconds:.0f} s old"
    yield from _too_late(truth, began, is_email=message.is_email)
    if not _names_true_amount(life, message, began):
        yield "an amount that was not true any more"


def _too_late(truth: Truth, began: datetime, *, is_email: bool) -> Iterator[str]:
    at, status, _ = truth.states[-1]
    if status != "AUTHORISED" and at < began - FRESH:
        yield f"told though {status} for {(began - at).total_seconds():.0f} s when it was written down"
    if truth.was_promised(began - FRESH, began):
        yield "told though its customer had promised to pay later"
    if truth.stopped is not None and truth.stopped < began and not is_email:
        yield "told after the customer had said stop"


def _names_true_amount(life: Life, message: Taken, began: datetime) -> bool:
    """Whether it names what its invoices came to together shortly before."""
    told = [one for one in life.truths if number_of(one) in message.numbers]
    amounts = [one.amounts_between(began - FRESH, began) for one in told]
    sums = {sum(map(int, some)) for some in product(*amounts)}
    return any(f"{amount}.00" in message.body for amount in sums)
