"""Email as Duebell sends it: one POST an email, what its answer proves, and the news that follow."""  # noqa: A005 -- imports are absolute, and the folder bears the channel's name
