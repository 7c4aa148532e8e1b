"""The receiver's process: settings, ledger and uvicorn."""

import logging
import sys
from typing import Any

import uvicorn
from sqlalchemy import Engine, event
from starlette.applications import Starlette

from deployments.receiver.app import make_app
from deployments.receiver.connections import ImpatientProtocol, most_connections
from deployments.receiver.log_lines import one_line_each
from deployments.receiver.parts import Patience, ReceiverParts
from deployments.receiver.prefect_rest import prefect_place
from duebell.clock import system_clock
from duebell.deciding.senders import all_mirrored_senders
from duebell.errors import ConfigurationError
from duebell.ledger.engine import migrate, open_ledger
from duebell.policy_file.keeper import PolicyKeeper
from duebell.resources import journal_of
from duebell.safekeeping.right_ledger import refuse_another
from duebell.setting_needs import Use
from duebell.settings import load

log = logging.getLogger("duebell.receiver")
LEDGER_SECONDS = 3


def open_for_answers(url: str) -> Engine:
    """The ledger for callers that wait: a writer gives up after three seconds, on PostgreSQL as on SQLite."""
    engine = open_ledger(url, busy_seconds=LEDGER_SECONDS)
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _bound_statements)
    return engine


def _bound_statements(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = '{LEDGER_SECONDS}s'")
    connection.commit()


def uvicorn_config(receiver: ReceiverParts, app: Starlette | None = None) -> uvicorn.Config:
    """How uvicorn serves the receiver, or another application in its place."""
    most = most_connections()
    return uvicorn.Config(
        app or make_app(receiver),
        host=receiver.settings.listen_host,
        port=receiver.settings.listen_port,
        http=ImpatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # The peer's word on who it speaks for is not believed: signatures are over the configured address.
        proxy_headers=False,
        # uvicorn counts open connections, idle ones too, and answers 503 above; idle ones are closed before.
        limit_concurrency=most,
        # So many are taken in at once before the first of them can be closed; above, the kernel waits.
        backlog=most // 2,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,  # a delivery is answered within body and ledger time, or comes again
        h11_max_incomplete_event_size=16 * 1024,  # request line and headers; neither sender comes near
    )


def main() -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status where it could not begin."""
    logging.basicConfig(level=logging.INFO, handlers=[one_line_each()])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each call at INFO, with its address
    try:
        settings = load()
        url = settings.database_url.get_secret_value()
        migrator = open_ledger(url)  # a migration may take longer than an answer
        migrate(migrator)
        refuse_another(settings, migrator, journal_of(settings))
        migrator.dispose()
        policies = PolicyKeeper()
        first_look = policies.look(settings.policy).policy.settle.first_look
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    events = (Use.EMAIL_EVENTS,) if settings.sends_email else ()
    for problem in settings.missing_for(Use.XERO_WEBHOOKS, Use.TWILIO_WEBHOOKS, *events):
        log.warning("%s Until then what it would check is refused.", problem)
    receiver = ReceiverParts(
        settings,
        open_for_answers(url),
        system_clock,
        prefect_place(settings),
        Patience(first_look=first_look),
        lambda: policies.look(settings.policy).policy.tells,
        lambda: all_mirrored_senders(policies.look(settings.policy).policy, settings),
    )
    uvicorn.Server(uvicorn_config(receiver)).run()
    return 0
