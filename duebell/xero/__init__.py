"""The edge towards Xero: reading its answers, its webhooks and its token endpoint."""
