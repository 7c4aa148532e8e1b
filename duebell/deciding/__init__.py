"""From the rows of the ledger to the facts that a verdict rests on, and the verdict on them."""
