"""Connecting an organisation of Xero: the consent of a person, what it opens, and the first read."""
