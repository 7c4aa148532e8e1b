"""When somebody may be written to, by the clocks and the calendars of where they are."""
