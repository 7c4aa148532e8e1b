"""Twilio's Messages API as Duebell uses it: one POST a send, what its answer proves, and its callbacks."""
