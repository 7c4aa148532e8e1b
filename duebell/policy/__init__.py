"""Whether a person is told, when, by which way and why not: pure decisions, without the ledger."""
