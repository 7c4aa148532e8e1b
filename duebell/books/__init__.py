"""Reading the books: from Xero into the snapshots, within what Xero allows."""
