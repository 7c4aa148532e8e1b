"""What the proofs share: the commit that they speak of, and a ledger for each run of one."""

import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from deployments.children import ROOT
from duebell.ledger.engine import migrate, open_ledger
from tests.support_ledger import SqliteLedgers, emptied, migrated_file, throwaway_database


def commit() -> str:
    """The commit that is proven, and whether the tree holds more than it."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607 - git, wherever it is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "unknown"


class Ledgers:
    """Empty ledgers, one after the other, of one kind of database."""

    def __init__(self, folder: Path, postgres: Engine | None) -> None:
        self._folder, self._postgres, self._made = folder, postgres, 0
        self._sqlite = SqliteLedgers(migrated_file(folder)) if postgres is None else None

    def fresh(self) -> Engine:
        """An empty ledger; the one before is gone."""
        if self._sqlite is None:
            assert self._postgres is not None
            return emptied(self._postgres)
        self._made += 1
        before, own = (self._folder / f"{number}" for number in (self._made - 1, self._made))
        own.mkdir()
        engine = self._sqlite.fresh(own)
        shutil.rmtree(before, ignore_errors=True)
        return engine


@contextmanager
def ledgers(database: str, folder: Path, name: str) -> Generator[Ledgers]:
    """Ledgers on ``sqlite`` (without its wait for the disk) or ``postgresql``."""
    if database == "sqlite":
        yield Ledgers(folder, None)
        return
    with throwaway_database(name) as url:
        engine = open_ledger(url)
        migrate(engine)
        yield Ledgers(folder, engine)
        engine.dispose()
