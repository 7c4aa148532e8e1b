"""Queries of ids fit what Xero reads, and survive httpx unchanged."""

from uuid import UUID

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from duebell.xero.answers import LONGEST_QUERY
from duebell.xero.queries import chunks, contacts_query, invoices_query, record_ids


@settings(deadline=None)
@given(st.lists(st.uuids(), max_size=300))
def test_every_query_of_ids_fits_and_no_id_is_lost_or_doubled(ids: list[UUID]) -> None:
    asked = record_ids([str(one).upper() for one in ids])
    grouped = chunks(asked)
    assert [one for chunk in grouped for one in chunk] == list(dict.fromkeys(str(one) for one in ids))
    for chunk in grouped:
        for query in (invoices_query(chunk), contacts_query(chunk)):
            sent = httpx.Request("GET", f"https://api.xero.test/Invoices?{query}").url.query.decode()
            assert sent == query
            assert len(query) <= LONGEST_QUERY
