"""what is known of an email address holds for every spelling of it.

Of several that are now one, the row that refuses most stays, and of equal ones the latest: who stopped one
spelling is not written to at another.
"""

import sqlalchemy as sa
from alembic import op

from duebell.ledger.columns import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

REFUSES = {"invalid": 1, "opted_out": 2}

preference = sa.table(
    "preference",
    sa.column("address", sa.String()),
    sa.column("channel", sa.String()),
    sa.column("state", sa.String()),
    sa.column("evidence", sa.String()),
    sa.column("changed_at", UtcDateTime()),
)


def upgrade() -> None:
    of_email = preference.c.channel == "email"
    rows = [dict(row) for row in op.get_bind().execute(sa.select(preference).where(of_email)).mappings()]
    rows.sort(key=lambda row: (REFUSES.get(row["state"], 0), row["changed_at"]))
    folded = {row["address"].strip().casefold(): row for row in rows}
    if all(address == row["address"] for address, row in folded.items()) and len(folded) == len(rows):
        return
    op.execute(sa.delete(preference).where(of_email))
    op.bulk_insert(preference, [{**row, "address": address} for address, row in folded.items()])
