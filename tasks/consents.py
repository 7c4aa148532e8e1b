"""Consents, as steps of a flow: what rests too long is used once, so that Xero does not end it."""

from datetime import datetime

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from duebell.connecting import consent
from duebell.ledger import token_sets
from duebell.ledger.consents import GRANT
from duebell.resources import resources
from tasks._prefect import RETRYING, own_run_id


@task(cache_policy=NO_CACHE)
def idle_token_sets() -> list[str]:
    """The token sets with a refresh token that were last refreshed more than a week ago, by their ids."""
    since = resources().clock() - consent.IDLE
    return list(token_sets.not_refreshed_since(resources().engine, GRANT, since))


@task(**RETRYING, cache_policy=NO_CACHE, task_run_name="refresh {token_set_id}")
def keep_alive(token_set_id: str) -> datetime:
    """Refresh a token set that rests; returns when it expires (UTC), never the token."""
    expires = consent.keep_alive(resources(), token_set_id, own_run_id() or "by hand")
    get_run_logger().info("token set %s is refreshed", token_set_id)
    return expires
