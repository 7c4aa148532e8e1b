"""The receiver makes what Xero and Twilio say durable, answers, and has runs made that nobody started."""
