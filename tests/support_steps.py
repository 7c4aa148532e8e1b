"""Every step of a notification's state, noted by SQLite itself."""

from sqlalchemy import Engine


def watch_steps(engine: Engine) -> None:
    """Have SQLite itself note every step of a notification's state, whatever statement made it."""
    if engine.dialect.name != "sqlite":
        return
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE step (before TEXT, after TEXT)")
        connection.exec_driver_sql(
            "CREATE TRIGGER stepped AFTER UPDATE OF state ON notification WHEN old.state <> new.state"
            " BEGIN INSERT INTO step VALUES (old.state, new.state); END"
        )


def steps_of(engine: Engine) -> list[tuple[str, str]]:
    """The steps that were noted, in their order; none on PostgreSQL."""
    if engine.dialect.name != "sqlite":
        return []
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT before, after FROM step").all()
    return [(before, after) for before, after in rows]
