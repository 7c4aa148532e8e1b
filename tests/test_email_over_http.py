"""The email clients against the sandbox over real HTTP, its faults among it, and its events at a receiver."""

import ssl
from collections.abc import Generator, Iterator
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlmodel import select

from deployments.sandbox import credentials as known
from deployments.sandbox.conditions import SandboxSettings
from deployments.sandbox.control import SandboxControl
from deployments.sandbox.server import running_sandbox
from duebell.email.addresses import Mailbox
from duebell.email.client import EmailClient
from duebell.email.messages import EmailRequest
from duebell.email.sendgrid import SendGrid
from duebell.email.twilio_email import TwilioEmail
from duebell.errors import RecordNotFound
from duebell.ledger import tables
from duebell.ledger.engine import reading
from duebell.ledger.writing import writing
from duebell.twilio.outcome import Accepted, NotProcessed, Refused, Unknown
from duebell.twilio.statuses import MessageStatus
from tests.support_prefect import wait_until
from tests.support_receiver import NOW, add_attempt, parts, receipts_in, serving
from tests.test_email_requests import ATTEMPT, TO, email

FROM = Mailbox(known.EMAIL_FROM, "Smith, Jones & Co")
BRACED = "Pay {{ amount }} {% if x %}now{% endif %} {{"
TLS = ssl.create_default_context()  # made once, because each client would make its own, slowly
IMPATIENT = httpx.Timeout(5.0, read=0.3)


@pytest.fixture(scope="module")
def running() -> Generator[SandboxControl]:
    with running_sandbox(SandboxSettings(callback_step_seconds=0.005)) as control:
        yield control


@pytest.fixture
def sandbox(running: SandboxControl) -> SandboxControl:
    running.reset()
    return running


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(verify=TLS, trust_env=False) as client:
        yield client


@pytest.fixture
def twilio(sandbox: SandboxControl, http: httpx.Client) -> TwilioEmail:
    token = SecretStr(known.TWILIO_AUTH_TOKEN)
    return TwilioEmail(http, known.TWILIO_ACCOUNT_SID, token, sandbox.base_url, timeout=IMPATIENT)


@pytest.fixture
def grid(sandbox: SandboxControl, http: httpx.Client) -> SendGrid:
    return SendGrid(http, SecretStr(known.SENDGRID_API_KEY), sandbox.base_url, timeout=IMPATIENT)


@pytest.fixture(params=["twilio", "grid"])
def client(request: pytest.FixtureRequest) -> EmailClient:
    return request.getfixturevalue(request.param)


def ours(**changes: object) -> EmailRequest:
    return email(**({"from_": FROM} | changes))


def test_what_was_written_is_what_the_recipient_sees(sandbox: SandboxControl, client: EmailClient) -> None:
    request = ours(
        subject=BRACED, text=f"Grüße\n{BRACED}", html=f"<p>{BRACED}</p>", reply_to="owner@x.example"
    )
    outcome = client.send(request)
    assert isinstance(outcome, Accepted)
    [told] = sandbox.accepted_mails()
    assert (told.subject, told.text, told.html) == (request.subject, request.text, request.html)
    assert (told.sid, told.to, told.tags) == (outcome.sid, TO, {"n": ATTEMPT})
    assert (told.from_, told.from_name, told.reply_to) == (FROM.address, FROM.name, "owner@x.example")


def test_each_send_is_one_post_and_each_post_one_email(sandbox: SandboxControl, client: EmailClient) -> None:
    for number in range(3):
        client.send(ours(tag=f"a-{number}"))
    assert len(sandbox.requests()) == 3
    assert [told.tags["n"] for told in sandbox.accepted_mails()] == ["a-0", "a-1", "a-2"]


def test_a_lost_answer_is_unknown_although_the_email_was_taken(
    sandbox: SandboxControl, client: EmailClient
) -> None:
    sandbox.fail_next("drop_after", method="POST")
    assert isinstance(client.send(ours()), Unknown)
    assert len(sandbox.accepted_mails()) == len(sandbox.requests()) == 1


def test_a_lost_request_is_unknown_too(sandbox: SandboxControl, client: EmailClient) -> None:
    sandbox.fail_next("drop_before", method="POST")
    assert isinstance(client.send(ours()), Unknown)
    assert (len(sandbox.accepted_mails()), len(sandbox.requests())) == (0, 1)


@pytest.mark.parametrize("process", [True, False])
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_fault_is_unknown_whether_the_email_was_taken_or_not(
    sandbox: SandboxControl, client: EmailClient, status: int, *, process: bool
) -> None:
    sandbox.fail_next("html", method="POST", status=status, process=process)
    assert client.send(ours()) == Unknown(f"HTTP {status}")
    assert len(sandbox.accepted_mails()) == int(process)
    assert len(sandbox.requests()) == 1


def test_an_answer_that_hangs_is_unknown_and_asked_for_once(
    sandbox: SandboxControl, client: EmailClient
) -> None:
    sandbox.fail_next("delay", method="POST", seconds=30)
    assert client.send(ours()) == Unknown("ReadTimeout")
    sandbox.clear_faults()
    assert len(sandbox.requests()) == 1


def test_too_many_requests_is_not_processed(sandbox: SandboxControl, client: EmailClient) -> None:
    sandbox.fail_next("status", method="POST", status=429, headers={"Retry-After": "7"})
    assert client.send(ours()) == NotProcessed("HTTP 429", 7.0)
    assert sandbox.accepted_mails() == ()


def test_a_closed_port_is_not_processed(http: httpx.Client) -> None:
    nowhere = "http://127.0.0.1:9"
    for client in (
        TwilioEmail(http, known.TWILIO_ACCOUNT_SID, SecretStr("x"), nowhere),
        SendGrid(http, SecretStr("x"), nowhere),
    ):
        assert client.send(ours()) == NotProcessed("ConnectError")


def test_wrong_credentials_and_a_foreign_sender_are_refused(
    sandbox: SandboxControl, http: httpx.Client, client: EmailClient
) -> None:
    stranger = SendGrid(http, SecretStr("SG.wrong"), sandbox.base_url)
    for outcome in (stranger.send(ours()), client.send(ours(from_=Mailbox("other@company.example")))):
        assert isinstance(outcome, Refused)
        assert outcome.action.value == "configuration"
    assert sandbox.accepted_mails() == ()


def test_a_lost_answer_of_the_email_api_is_settled_by_its_tag(
    sandbox: SandboxControl, twilio: TwilioEmail
) -> None:
    sandbox.settings(list_lag_seconds=60)
    sandbox.fail_next("drop_after", method="POST")
    assert isinstance(twilio.send(ours(to="bounced@x.example")), Unknown)
    twilio.send(ours(tag="another"))
    assert twilio.find(ATTEMPT) == ()
    assert sandbox.settle()
    sandbox.shift_clock(61)
    [found] = twilio.find(ATTEMPT)
    assert found.status is MessageStatus.UNDELIVERED
    assert replace(twilio.fetch(found.sid), updated_at=None) == replace(found, updated_at=None)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("opened", MessageStatus.READ),
        ("jane", MessageStatus.DELIVERED),
        ("bounced", MessageStatus.UNDELIVERED),
        ("dropped", MessageStatus.FAILED),
        ("sent", MessageStatus.SENT),
        ("stuck", MessageStatus.QUEUED),
    ],
)
def test_an_accepted_email_is_followed_by_asking(
    sandbox: SandboxControl, twilio: TwilioEmail, name: str, status: MessageStatus
) -> None:
    outcome = twilio.send(ours(to=f"{name}@x.example"))
    assert isinstance(outcome, Accepted)
    assert sandbox.settle()
    assert twilio.fetch(outcome.sid).status is status
    sandbox.shift_clock(8 * 86_400)
    with pytest.raises(RecordNotFound):
        twilio.fetch(outcome.sid)


def test_an_email_that_is_held_can_be_cancelled_by_its_batch(sandbox: SandboxControl, grid: SendGrid) -> None:
    batch_id = grid.create_batch()
    at = sandbox.shift_clock(1200)
    sandbox.shift_clock(-1200)
    assert isinstance(grid.send(ours(send_at=at, batch_id=batch_id)), Accepted)
    grid.cancel_batch(batch_id)
    grid.cancel_batch(batch_id)
    sandbox.shift_clock(1201)
    wait_until(lambda: sandbox.accepted_mails()[0].status != "scheduled", "the time to send at passes")
    assert [told.status for told in sandbox.accepted_mails()] == ["canceled"]


@pytest.mark.parametrize(
    ("name", "state", "reason", "kept"),
    [
        ("jane", "delivered", "", {"processed", "delivered"}),
        ("unordered", "delivered", "", {"processed", "delivered", "open"}),
        ("repeated", "delivered", "", {"processed", "delivered"}),
        ("bounced", "undelivered", "email:bounce", {"processed", "bounce"}),
        ("blocked", "undelivered", "email:blocked", {"processed", "blocked"}),
        ("failed", "undelivered", "email:dropped_invalid", {"dropped_invalid"}),
        ("spam", "delivered", "", {"processed", "delivered", "spamreport"}),
    ],
)
def test_the_events_of_an_email_reach_its_notification(
    sandbox: SandboxControl,
    grid: SendGrid,
    sqlite_ledger: Engine,
    name: str,
    state: str,
    reason: str,
    kept: set[str],
) -> None:
    address = f"{name}@x.example"
    with writing(sqlite_ledger, NOW) as book:
        add_attempt(book.session, ATTEMPT, address=address)
    receiver = parts(sqlite_ledger, SENDGRID_WEBHOOK_KEYS=known.SENDGRID_WEBHOOK_KEY)
    with serving(receiver) as port:
        sandbox.settings(events_url=f"http://127.0.0.1:{port}/webhooks/sendgrid")
        outcome = grid.send(ours(to=address))
        assert isinstance(outcome, Accepted)
        assert sandbox.settle()
    assert {post.status for post in sandbox.event_posts()} == {200}
    assert {post.body_length for post in sandbox.event_posts()} == {0}
    assert {(row.sid, row.status) for row in receipts_in(sqlite_ledger)} == {
        (outcome.sid, word) for word in kept
    }
    with reading(sqlite_ledger) as session:
        attempt = session.get_one(tables.Attempt, ATTEMPT)
        row = session.exec(
            select(tables.Notification).where(tables.Notification.notification_id == attempt.notification_id)
        ).one()
    assert (attempt.sid, row.state, row.reason) == (outcome.sid, state, reason)
