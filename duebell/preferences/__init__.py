"""What people want: told by them or for them, and kept in step with Twilio and with Xero."""
