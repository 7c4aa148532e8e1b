"""The names of an organisation's branding themes, as the ledger keeps them beside the organisation."""

import json
from collections.abc import Mapping
from functools import lru_cache

from duebell.ledger.tables import Tenant


def written(names: Mapping[str, str]) -> str:
    """The names by their ids, as they are kept."""
    return json.dumps(names, sort_keys=True)


def names_of(tenant: Tenant) -> Mapping[str, str]:
    """The names by their ids, as last read; none before."""
    return _read(tenant.branding_themes or "{}")


@lru_cache(maxsize=64)
def _read(kept: str) -> Mapping[str, str]:
    return json.loads(kept)
