"""What became of messages whose answer or receipts were not seen, and of those that Twilio holds."""
