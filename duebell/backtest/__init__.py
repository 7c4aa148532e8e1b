"""A policy played over the past: what it would have said, to whom and when; nothing is written or sent."""
