"""The organisation itself and its calls, as steps of a flow."""

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from duebell.books import counting, organisation, parking
from duebell.books.calls import Purpose
from duebell.books.parking import Rest
from duebell.resources import resources
from tasks._prefect import RETRYING, access_to


@task(**RETRYING, cache_policy=NO_CACHE)
def refresh_organisation(tenant_id: str) -> bool:
    """Bring name, zone, currency and Xero's reminders in step, once a day; returns whether they were read."""
    read = organisation.refresh(access_to(tenant_id, Purpose.ORGANISATION))
    if read:
        get_run_logger().info("the organisation was read anew")
    return read


@task(cache_policy=NO_CACHE)
def why_left_alone(tenant_id: str) -> Rest:
    """Why nobody may drain the tenant's inbox now. It only reads."""
    return parking.rest_of(resources().engine, tenant_id, resources().clock)


@task(cache_policy=NO_CACHE)
def show_calls(tenant_id: str) -> int:
    """Put today's calls to Xero and what they were for into the UI; returns how many they are."""
    spent = counting.spent_today(resources().engine, tenant_id, now=resources().clock())
    create_table_artifact(key="xero-calls", table=spent.table(), description=spent.sentence())
    return spent.calls
