"""What the proofs share: the commit that they speak of, and a ledger for each run of one."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from deployments.children import ROOT
from duebell.ledger.engine import migrate, open_ledger
from tests.support_ledger import copied, emptied, migrated_file, throwaway_database
from tests.support_truth import hurried


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
        self._folder, self._postgres = folder, postgres
        self._template = migrated_file(folder) if postgres is None else None
        self._sqlite: Engine | None = None

    def fresh(self) -> Engine:
        """An empty ledger; the one before is gone.

        It is opened by the same engine each time, which so knows its statements already.
        """
        if self._postgres is not None:
            return emptied(self._postgres)
        assert self._template is not None
        if self._sqlite is not None:
            self._sqlite.dispose()
        for old in self._folder.glob("ledger.db*"):
            old.unlink()
        opened = copied(self._template, self._folder)
        self._sqlite = self._sqlite or hurried(opened)
        return self._sqlite


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
