"""What a message says: its templates, the values that they are given, and the text that comes of both."""
