"""What Xero tells of the organisation itself: its tracking, its branding themes and its reminders."""

from deployments.sandbox.wire import text_of
from deployments.sandbox.xero_endpoint import Answer, Asked, Endpoint
from deployments.sandbox.xero_query import chosen, truth

_SCOPE = "accounting.settings"


def endpoints() -> list[Endpoint]:
    """Where each answer is found."""
    return [
        Endpoint("/Organisation", _SCOPE, _organisation),
        Endpoint("/TrackingCategories", _SCOPE, _tracking),
        Endpoint("/BrandingThemes", _SCOPE, _themes),
        Endpoint("/InvoiceReminders/Settings", _SCOPE, _reminders),
    ]


def _organisation(asked: Asked) -> Answer:
    asked.query()
    return Answer("Organisations", [asked.books.organisation])


def _tracking(asked: Asked) -> Answer:
    query = asked.query("includeArchived")
    rows = list(asked.books.tracking.values())
    if not truth(query, "includeArchived"):
        rows = chosen(rows, "Status", frozenset({"active"}))
    return Answer("TrackingCategories", sorted(rows, key=lambda row: text_of(row, "Name")))


def _themes(asked: Asked) -> Answer:
    asked.query()
    return Answer("BrandingThemes", list(asked.books.themes.values()))


def _reminders(asked: Asked) -> Answer:
    asked.query()
    return Answer("InvoiceReminders", [{"Enabled": asked.books.reminders}])
