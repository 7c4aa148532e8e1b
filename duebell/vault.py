"""Secrets at rest: sealed with keys that are never in the database.

Fernet has no associated data, so a sealed text that was moved to another row would still open. Therefore its
purpose and owner lie inside the plaintext and are compared on opening. Nothing here falls back to plaintext:
what does not open is a ``ConfigurationError``.
"""

import contextlib
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from duebell.errors import ConfigurationError
from duebell.setting_shapes import is_fernet_key
from duebell.settings import Settings

FIRST_LINES = (
    "# Duebell's encryption keys, one a line. The first encrypts, all decrypt.\n"
    "# Without this file nobody can read the stored Xero tokens: keep a copy, away from the database's.\n"
)


class Vault:
    """Seals and opens small JSON objects. The first key seals, every key opens."""

    __slots__ = ("_fernet",)

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        """Raises ``ConfigurationError`` for no key at all, or for one that is not a Fernet key."""
        if not keys or not all(is_fernet_key(key.get_secret_value()) for key in keys):
            raise ConfigurationError(
                "An encryption key is missing, or is not 32 bytes in URL-safe base64. Restore your copy."
            )
        self._fernet = MultiFernet([Fernet(key.get_secret_value()) for key in keys])

    def seal(self, purpose: str, owner: str, data: Mapping[str, object]) -> str:
        """Encrypt JSON data for one purpose (what it is) and one owner (our id of whose it is).

        Raises ``TypeError`` for data that JSON does not know; dates are the caller's to spell.
        """
        whole = {"v": 1, "purpose": purpose, "owner": owner, "data": dict(data)}
        options = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
        return self._fernet.encrypt(orjson.dumps(whole, option=options)).decode("ascii")

    def open(self, purpose: str, owner: str, sealed: str) -> dict[str, object]:
        """Decrypt what was sealed for this purpose and owner; ``ConfigurationError`` for anything else."""
        try:
            whole = cast("dict[str, object]", orjson.loads(self._fernet.decrypt(sealed.encode("ascii"))))
        except (InvalidToken, ValueError):
            raise ConfigurationError(
                f"The stored {purpose} of {owner} opens with none of the encryption keys. Put back the key"
                " that sealed it (DUEBELL_ENCRYPTION_KEYS, or the file keys in DUEBELL_HOME), or connect"
                " again."
            ) from None
        if (whole.get("v"), whole.get("purpose"), whole.get("owner")) != (1, purpose, owner):
            raise ConfigurationError(
                f"What is stored as the {purpose} of {owner} was sealed for something else: the row was moved"
                " or changed by hand. Restore the database, or connect again."
            )
        return cast("dict[str, object]", whole["data"])


class LockedVault(Vault):
    """Of who has no keys and needs none: nothing is sealed and nothing opens."""

    __slots__ = ()

    def __init__(self) -> None:
        """There is nothing to hold."""

    def seal(self, purpose: str, owner: str, data: Mapping[str, object]) -> str:
        """Raises ``ConfigurationError``."""
        raise ConfigurationError(f"The {purpose} of {owner} cannot be sealed: this was opened without keys.")

    def open(self, purpose: str, owner: str, sealed: str) -> dict[str, object]:
        """Raises ``ConfigurationError``."""
        raise ConfigurationError(f"The {purpose} of {owner} cannot be opened: this was opened without keys.")


def load_or_create_keys(settings: Settings) -> tuple[SecretStr, ...]:
    """The keys of the environment, else of ``<home>/keys``, which the first process to ask makes.

    Raises ``ConfigurationError`` where the file can be read by others, or holds no sound key.
    """
    if settings.encryption_keys:
        return settings.encryption_keys
    path = settings.home / "keys"
    try:
        return _read(path)
    except FileNotFoundError:
        try:
            _create(path)
        except OSError:
            raise ConfigurationError(
                f"{path} cannot be made. Let this user write to {path.parent}."
            ) from None
        return _read(path)


def _read(path: Path) -> tuple[SecretStr, ...]:
    try:
        with path.open(encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            lines = [line.strip() for line in file]
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{path} cannot be read. Restore it, or give it to this user.") from None
    if mode & 0o077:
        raise ConfigurationError(f"{path} can be read by other users. Run: chmod 600 {path}")
    keys = tuple(SecretStr(line) for line in lines if line and not line.startswith("#"))
    if not keys or not all(is_fernet_key(key.get_secret_value()) for key in keys):
        raise ConfigurationError(
            f"{path} does not hold one encryption key a line. Restore it from your copy; a new key could not"
            " open what the old one sealed."
        )
    return keys


def _create(path: Path) -> None:
    """Write the file whole under another name, then link it: the first link wins, and nobody reads a half."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".keys.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(FIRST_LINES + Fernet.generate_key().decode("ascii") + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its keys are the keys
            os.link(draft, path)
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """A key that a power cut takes back would leave sealed tokens that nothing opens."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
