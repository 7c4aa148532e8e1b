"""The policy's file: what a bookkeeper may write into it, and what is wrong with it, line by line."""
