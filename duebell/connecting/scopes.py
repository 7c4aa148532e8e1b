"""Which scopes of Xero are asked for: those for reading, and one for writing where the policy needs it."""

from sqlalchemy import Engine

from duebell.errors import ScopesRefused
from duebell.ledger.engine import reading
from duebell.ledger.tables import TokenSet
from duebell.policy_file.policy import Policy
from duebell.xero.identity import CONSENT_SCOPES, SCOPES, WRITES_CONTACTS, TokenAnswer, XeroIdentity

NO_SCOPE = (
    "Xero lets Duebell only read contacts: run `duebell connect` again (a custom connection: choose "
    f"{WRITES_CONTACTS} for the app at developer.xero.com/app/manage, and authorise it anew)"
)

NO_ROLE = (
    "the role in Xero of the user who connected it does not allow this (or its subscription has ended): give "
    "that user a role that does, or run `duebell connect` as one who has it"
)

NO_ROLE_TO_WRITE = f"Xero does not let Duebell change contacts: {NO_ROLE}"


def consent_scopes(policy: Policy) -> tuple[str, ...]:
    """What a person is asked to consent to."""
    return (*CONSENT_SCOPES, *_for_writing(policy))


def custom_scopes(policy: Policy) -> tuple[str, ...]:
    """What a custom connection is to have."""
    return (*SCOPES, *_for_writing(policy))


def _for_writing(policy: Policy) -> tuple[str, ...]:
    return (WRITES_CONTACTS,) if policy.writes_back else ()


def custom_tokens(identity: XeroIdentity, policy: Policy) -> TokenAnswer:
    """A token of a custom connection. Where its app may not write, one that only reads: messages go on.

    Raises what ``client_credentials`` does.
    """
    wanted = custom_scopes(policy)
    if wanted != SCOPES:
        try:
            return identity.client_credentials(wanted)
        except ScopesRefused:
            pass  # doctor and the audit trail say that the scope is missing
    return identity.client_credentials(SCOPES)


def lacks_scope(engine: Engine, token_set_id: str) -> bool:
    """Whether Xero said of these tokens that they do not write contacts; false where it never said."""
    with reading(engine) as session:
        tokens = session.get(TokenSet, token_set_id)
    scopes = tokens.scopes.split() if tokens is not None else []
    return bool(scopes) and WRITES_CONTACTS not in scopes
