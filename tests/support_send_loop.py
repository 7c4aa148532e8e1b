"""A bare sender: claim, tell, record, reap and settle over and over, without Prefect, to be killed anywhere.

It is the real code over a real ledger and real HTTP. Played is Xero alone: a second look finds the invoice as
it was. The clock runs some times as fast as the world's, so that leases and searches end soon.
"""

import os
import signal
import socket
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from ctypes import c_double
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlmodel import col, select

from duebell.errors import Transient
from duebell.failpoints import VARIABLE
from duebell.keys import INVOICE_ISSUED
from duebell.ledger import attempts, dispatch, notifications, snapshots, unsettled
from duebell.ledger.engine import open_ledger, reading
from duebell.ledger.tables import InvoiceSnapshot
from duebell.ledger.writing import writing
from duebell.planning.planning import plan_kind
from duebell.resources import Resources
from duebell.safekeeping.journal import Journal
from duebell.safekeeping.quarantine import compare_once
from duebell.sending.telling import rules_of, tell
from duebell.settings import load
from duebell.settling import confirming, settling
from duebell.twilio.client import TwilioClient
from duebell.twilio.transport import DEADLINE, TIMEOUT, twilio_http_client
from duebell.vault import Vault
from duebell.xero.parse import parse_invoice_body
from tests.support_facts import TENANT, read_contacts_anew

A_FEW = 3
"""How many a run claims: those of a sender that dies wait for their leases."""


@dataclass(frozen=True)
class SwiftClock:
    """A clock that runs ``speed`` times as fast as the world's, the same in every process forked from one."""

    began: float
    speed: float
    ahead: c_double
    """Seconds that it was pushed ahead by hand."""

    def __call__(self) -> datetime:
        passed = (time.time() - self.began) * self.speed + self.ahead.value
        return datetime.fromtimestamp(self.began, UTC) + timedelta(seconds=passed)


class SwiftResources(Resources):
    """The same, with Twilio's patience shortened as much as the clock is quickened."""

    def twilio(self, *, with_token: bool = False) -> TwilioClient:
        """Twilio, waited for as long as ever by this clock."""
        clock = self.clock
        assert isinstance(clock, SwiftClock)
        phases = TIMEOUT.as_dict()
        return TwilioClient(
            self.twilio_http,
            self.settings.twilio_account_sid,
            self.settings.twilio_account_sid,
            self.settings.twilio_auth_token,
            self.settings.twilio_api_url,
            timeout=httpx.Timeout(**{name: (each or 5.0) / clock.speed for name, each in phases.items()}),
            deadline=DEADLINE / clock.speed,
        )


@dataclass(frozen=True)
class Place:
    """What every process of one run shares."""

    environment: dict[str, str]
    clock: SwiftClock

    def resources(self) -> Resources:
        """Resources of this process's own."""
        settings = load(self.environment, env_file=None)
        return SwiftResources(
            settings,
            open_ledger(settings.database_url.get_secret_value()),
            Vault([SecretStr(Fernet.generate_key().decode())]),
            httpx.Client(transport=httpx.MockTransport(_no_xero)),
            twilio_http_client(),
            self.clock,
            journal=Journal(settings.home / "journal", socket.gethostname()),
        )


def _no_xero(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"Xero was asked for {request.url.path}")


def start(place: Place, owner: str, fail_point: str = "") -> int:
    """Fork a sender; returns its process id. The caller holds no connection to any ledger."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.environ[VARIABLE] = fail_point
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_DFL)
        send_for_ever(place.resources(), owner)
    except BaseException as error:  # noqa: BLE001 - a fork must never return into what it was forked from
        Path(place.environment["DUEBELL_HOME"], f"sender-{os.getpid()}.error").write_text(repr(error))
    finally:
        os._exit(code)


def send_for_ever(resources: Resources, owner: str) -> None:
    """Do whatever is due, until killed. A database that is busy for too long is tried again."""
    rounds = 0
    while True:
        rounds += 1
        done = 0
        with suppress(OperationalError), _failing_as_a_run_does(resources):
            done = _round(resources, f"{owner}.{rounds}")
        if not done:
            time.sleep(0.05)


@contextmanager
def _failing_as_a_run_does(resources: Resources) -> Generator[None]:
    """What a fail point raises ends what was at work, as it ends a run, and not the sender."""
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("the fail point"):
            raise
        (resources.settings.home / f"sender-{os.getpid()}.raised").touch()


def _round(resources: Resources, owner: str) -> int:
    compare_once(resources)
    now = resources.clock()
    with writing(resources.engine, now) as book:
        attempts.reap(book, resources.policy.settle.first_look)
    done = 0
    for due in dispatch.due(resources.engine, now=now, most=A_FEW):
        done += _tell(resources, due.invoice_ids, owner)
    with reading(resources.engine) as session:
        waiting = unsettled.unsettled(session, now=resources.clock())
        before = resources.clock() - confirming.ASK_AFTER
        silent = unsettled.unconfirmed(session, after=before - timedelta(days=3), before=before)[:20]
    looks: list[Callable[[], object]] = [lambda it=one: settling.settle(resources, it) for one in waiting]
    looks += [lambda it=one: confirming.confirm(resources, it) for one in silent]
    for look in looks:
        with suppress(Transient), _failing_as_a_run_does(resources):
            look()
    return done + len(looks)


def _tell(resources: Resources, invoice_ids: Sequence[str], owner: str) -> int:
    with writing(resources.engine, resources.clock()) as book:
        rules = rules_of(resources)
        rows = plan_kind(book, TENANT, INVOICE_ISSUED, invoice_ids, rules, actor="test", flow_run_id=owner)
        claims = notifications.claim_all(book, rows, owner)

    def read_again(_tenant: str, ids: Sequence[str], _since: datetime) -> None:
        look_at(resources.engine, ids, resources.clock())

    for claim in claims:
        with suppress(Transient), _failing_as_a_run_does(resources):
            tell(resources, claim, read_again, flow_run_id=owner)
    return len(claims)


def look_at(engine: Engine, invoice_ids: Sequence[str], now: datetime) -> None:
    """Read invoices and their contacts again, and find them as they were."""
    read_contacts_anew(engine, invoice_ids, now)
    with reading(engine) as session:
        wanted = select(InvoiceSnapshot.body).where(col(InvoiceSnapshot.invoice_id).in_(invoice_ids))
        bodies = session.exec(wanted).all()
    kept = [(parse_invoice_body(body), body) for body in bodies]
    snapshots.save_invoices(engine, TENANT, kept, read_at=now)
