"""``duebell connect``: in the browser, or by a custom connection, as XERO_GRANT says."""

from contextlib import closing

from rich.console import Console

from deployments.connect import connect, told
from deployments.connect_consent import Choice, connect_by_consent
from deployments.connect_pace import pacing
from deployments.opening import ledger_in_words
from deployments.terminal import complain, note
from duebell.errors import ConfigurationError, DuebellError
from duebell.resources import Resources, open_resources
from duebell.setting_needs import Use
from duebell.settings import Grant, load

INTERRUPTED = 130


def main(console: Console, choice: Choice) -> int:
    """Connect, and say what was connected; returns the exit status."""
    try:
        settings = load(uses=[Use.XERO, Use.XERO_CONSENT])
        with ledger_in_words(), closing(open_resources(settings)) as resources:
            if settings.xero_grant is Grant.CLIENT_CREDENTIALS:
                return _connect_custom(console, resources, choice)
            return 0 if connect_by_consent(console, resources, choice) else 1
    except (ConfigurationError, DuebellError) as error:
        complain(console, error)
        return 1
    except KeyboardInterrupt:
        note(console, "stopped: run `duebell connect` again to go on")
        return INTERRUPTED


def _connect_custom(console: Console, resources: Resources, choice: Choice) -> int:
    with pacing(resources.settings) as pace_of:
        for one in connect(resources, pace_of, choice.tenant_ids):
            note(console, told(one))
    return 0
