"""That the ledger is the one that knows whom it told: the side journal, and a ledger that moves."""
