"""The well-known, invented credentials and ids that the sandbox answers to."""

XERO_CLIENT_ID = "5A4D0B0C5A4D0B0C5A4D0B0C5A4D0B0C"
XERO_CLIENT_SECRET = "sandbox-xero-client-secret"
XERO_WEBHOOK_KEY = "sandbox-xero-webhook-key-not-base64=="
TENANT_ID = "5a4db0c5-0000-4000-8000-000000000001"

TWILIO_ACCOUNT_SID = "AC5a4db0c5a4db0c5a4db0c5a4db0c5a4d"
TWILIO_AUTH_TOKEN = "sandbox-twilio-auth-token"
TWILIO_API_KEY = "SK5a4db0c5a4db0c5a4db0c5a4db0c5a4d"
TWILIO_API_SECRET = "sandbox-twilio-api-secret"
TWILIO_FROM = "+15005550006"
MESSAGING_SERVICE_SID = "MG5a4db0c5a4db0c5a4db0c5a4db0c5a4d"

EMAIL_FROM = "accounts@sandbox.example"
SENDGRID_API_KEY = "SG.sandbox-sendgrid-api-key"
SENDGRID_SIGNING_NUMBER = int("5a4db0c5" * 8, 16)
# The public key that belongs to this number.
SENDGRID_WEBHOOK_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE020OUSm8CEXzQJR7Fq2xrDcRfd6t"
    "G6fZ91DRf0R0LU4hCvF6h8mcAwhexDuESYy/JPylzMuDA/X/57eE+lCHrA=="
)
