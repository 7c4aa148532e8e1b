"""The ledger: one SQL database that holds what is true. Prefect only dispatches and shows."""
