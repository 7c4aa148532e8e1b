"""From what happened to what is owed to whom: events, sweeps and replays, planned once by their keys."""
