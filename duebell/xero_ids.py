"""Xero's ids as a person copies them into a form: it writes its own in small letters, and they are keys."""

from typing import Annotated

from pydantic import AfterValidator


def _as_xero_writes_it(typed: str) -> str:
    return typed.strip().lower()


XeroId = Annotated[str, AfterValidator(_as_xero_writes_it)]
"""The id of an organisation or a record, however its letters were typed."""
