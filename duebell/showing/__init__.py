"""What a person of the business is shown: why somebody was told or not, and what a run came to."""
