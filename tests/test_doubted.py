"""Whether an attempt's POST was answered, asked of the ledger and of a row that was read."""

from itertools import product

from sqlalchemy import create_engine
from sqlmodel import Session, select

from duebell.ledger.held import is_doubted, was_unanswered
from duebell.ledger.tables import Attempt, SQLModel
from duebell.states import AttemptState
from tests.support_facts import NOW


def test_the_ledger_and_a_row_that_was_read_say_the_same_of_every_attempt() -> None:
    engine = create_engine("sqlite://")
    SQLModel.metadata.tables["attempt"].create(engine)
    with Session(engine) as session:
        for state, absent, tries, cause in product(AttemptState, (None, NOW), (0, 1), ("", "twilio:429")):
            attempt_id = f"{state}/{absent}/{tries}/{cause}"
            session.add(
                Attempt(
                    attempt_id=attempt_id,
                    notification_id=1,
                    leg_id=1,
                    lease_token=1,
                    state=state.value,
                    address="+64211234567",
                    text="words",
                    started_at=NOW,
                    read_age_seconds=1.0,
                    absent_at=absent,
                    settle_tries=tries,
                    cause=cause,
                )
            )
        session.flush()
        rows = session.exec(select(Attempt)).all()
        said = set(session.exec(select(Attempt.attempt_id).where(was_unanswered(Attempt))).all())
        assert len(rows) == len(AttemptState) * 8
        assert 0 < len(said) < len(rows)
        assert {row.attempt_id for row in rows if is_doubted(row)} == said
    engine.dispose()
