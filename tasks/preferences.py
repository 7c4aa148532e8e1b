"""Contacts and what they want, as steps of a flow."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from duebell.ledger.failing import tried_again
from duebell.ledger.writing import writing
from duebell.planning import contacts_in_step
from duebell.planning.contacts_in_step import InStep
from duebell.preferences import consents_told, stopped_in_xero, who_stopped
from duebell.preferences.consents_told import Told
from duebell.preferences.stopped_in_xero import Shown
from duebell.resources import resources
from duebell.sending.telling import rules_of
from tasks._prefect import RETRYING, access_to, own_run_id, pace_of_consents


@task(**RETRYING, cache_policy=NO_CACHE)
@tried_again()
def bring_in_step(tenant_id: str, contact_ids: list[str]) -> InStep:
    """Decide anew what waits for these contacts, and close their events; returns the runs that follow."""
    with writing(resources().engine, resources().clock()) as book:
        step = contacts_in_step.bring_in_step(
            book, tenant_id, contact_ids, rules_of(resources()), flow_run_id=own_run_id()
        )
    get_run_logger().info("%d contacts, %d notifications decided anew", len(contact_ids), step.decided)
    return step


@task(cache_policy=NO_CACHE)
def consents_to_tell(*, everything: bool) -> list[list[int]]:
    """What Twilio is to be told now, by the ids of its lines, in batches of one post."""
    batches = consents_told.lay_out(resources(), everything=everything)
    get_run_logger().info("%d consents are to be told", sum(map(len, batches)))
    return batches


@task(**RETRYING, cache_policy=NO_CACHE)
def tell_consents(line_ids: list[int]) -> Told:
    """Post one batch. What Twilio does not take is told again by a later run, each time later."""
    told = consents_told.post(resources(), line_ids, flow_run_id=own_run_id(), pace=pace_of_consents)
    get_run_logger().info("%s", told.name)
    return told


@task(cache_policy=NO_CACHE)
def groups_to_show(*, everything: bool) -> list[str]:
    """The organisations whose contact group may have to show somebody else who stopped, or nobody more."""
    tenant_ids = who_stopped.lay_out(resources(), everything=everything)
    get_run_logger().info("%d contact groups are to be looked at", len(tenant_ids))
    return tenant_ids


@task(**RETRYING, cache_policy=NO_CACHE)
def show_stopped(tenant_id: str) -> Shown:
    """Set one organisation's contact group right. What Xero does not take now is tried by a later run."""
    shown = stopped_in_xero.show(resources(), tenant_id, access_to, flow_run_id=own_run_id())
    get_run_logger().info("%d put in, %d taken out, %d waiting", shown.added, shown.removed, shown.waiting)
    return shown
