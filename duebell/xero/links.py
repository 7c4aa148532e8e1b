"""Pages of Xero itself, for the team's messages. They need a login; a customer gets the online invoice."""

from urllib.parse import quote

GO_XERO = "https://go.xero.com/app"


def invoice_link(short_code: str, invoice_id: str) -> str:
    """Where the team sees the invoice; ``short_code`` is the organisation's (``!mBdtL``)."""
    return f"{GO_XERO}/{quote(short_code, safe='!')}/invoicing/view/{quote(invoice_id, safe='')}"
