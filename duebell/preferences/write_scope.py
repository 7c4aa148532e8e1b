"""Whether an organisation's tokens let Duebell change contacts, asked before anything is."""

from duebell.books.access import XeroAccess
from duebell.connecting.scopes import NO_SCOPE, lacks_scope
from duebell.errors import ScopeMissing
from duebell.ledger.engine import reading
from duebell.ledger.tables import TokenSet
from duebell.resources import Resources


def require_write_scope(resources: Resources, access: XeroAccess) -> None:
    """Raises ``ScopeMissing``, before anything is asked, where the tokens are known to let us only read.

    The token of a custom connection is asked for anew first: its app may have been given the scope since.
    """
    if not lacks_scope(resources.engine, access.tenant.token_set_id):
        return
    access.refresh()
    with reading(resources.engine) as session:
        tokens = session.get_one(TokenSet, access.tenant.token_set_id)
    if tokens.grant == "client_credentials":
        access.refresh(over=resources.clock())
    if lacks_scope(resources.engine, access.tenant.token_set_id):
        raise ScopeMissing(NO_SCOPE)
