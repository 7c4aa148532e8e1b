"""What a consent opens, by Xero's own list: the one word on whether an organisation is closed to us."""

from collections.abc import Callable

from duebell import tokens
from duebell.model import Connection
from duebell.resources import Resources
from duebell.xero.answers import CallMade
from duebell.xero.asking import Pace
from duebell.xero.client import XeroClient


def client_of(
    resources: Resources, token_set_id: str, tenant_id: str, pace: Pace, count: Callable[[CallMade], None]
) -> XeroClient:
    """A client that speaks with the tokens of a consent, as they stand at each call."""
    return XeroClient(
        resources.xero_http,
        resources.settings.xero_api_url,
        lambda: tokens.read(resources.engine, resources.vault, token_set_id).access,
        tenant_id,
        pace,
        count,
    )


def organisations(resources: Resources, token_set_id: str, no_pace: Pace) -> tuple[Connection, ...]:
    """Every organisation that a token set opens; asking counts for none of them.

    Raises what the client raises.
    """
    client = client_of(resources, token_set_id, "", no_pace, lambda _call: None)
    return tuple(one for one in client.connections() if one.tenant_type == "ORGANISATION")
