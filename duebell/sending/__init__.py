"""Telling a person: looked at again, written down, posted once, and what came of it written down."""
