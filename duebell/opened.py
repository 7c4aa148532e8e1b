"""What a consent opens, by Xero's own list: the one word on whether an organisation is closed to us."""

from duebell import tokens
from duebell.model import Connection
from duebell.resources import Resources
from duebell.xero.asking import Pace
from duebell.xero.client import XeroClient


def organisations(resources: Resources, token_set_id: str, no_pace: Pace) -> tuple[Connection, ...]:
    """Every organisation that a token set opens; asking counts for none of them.

    Raises what the client raises.
    """
    client = XeroClient(
        resources.xero_http,
        resources.settings.xero_api_url,
        lambda: tokens.read(resources.engine, resources.vault, token_set_id).access,
        "",
        no_pace,
        lambda _call: None,
    )
    return tuple(one for one in client.connections() if one.tenant_type == "ORGANISATION")
