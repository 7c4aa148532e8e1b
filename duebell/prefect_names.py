"""What is named at Prefect by who makes it and again by who uses it: the work pool and the global limits."""

WORK_POOL = "duebell"
"""Where every run of ours waits for a worker; ``prefect.yaml`` says it too, for it can import nothing."""

CONSENT_LIMIT = "twilio-consents"
"""The global limit that spreads the calls to Twilio's Consent API over the minute."""


def rate_limit_name(tenant_id: str) -> str:
    """The global limit that spreads a tenant's calls to Xero over the minute."""
    return f"xero-rate-{tenant_id}"


def flight_limit_name(tenant_id: str) -> str:
    """The global limit of a tenant's calls to Xero that are under way at the same time."""
    return f"xero-flight-{tenant_id}"
