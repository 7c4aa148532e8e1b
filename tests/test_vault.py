"""The vault: what was sealed opens for the same purpose, owner and keys, and for nothing else."""

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from duebell.errors import ConfigurationError
from duebell.settings import Settings, load
from duebell.vault import Vault, load_or_create_keys

OLD, NEW = (SecretStr(Fernet.generate_key().decode()) for _ in range(2))
VAULT = Vault([OLD])
SEALED = VAULT.seal("token set", "t1", {"access": "abc"})
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=8,
)


def settings_at(home: Path) -> Settings:
    return load({"DUEBELL_HOME": str(home)}, None)


@given(st.dictionaries(st.text("xyz"), JSON, max_size=4))
def test_what_was_sealed_opens_as_it_was(data: dict[str, object]) -> None:
    assert VAULT.open("token set", "t1", VAULT.seal("token set", "t1", data)) == data


@pytest.mark.parametrize(
    ("purpose", "owner"), [("token set", "t2"), ("message", "t1"), ("", ""), ("t1", "token set")]
)
def test_a_sealed_text_does_not_open_in_another_row(purpose: str, owner: str) -> None:
    sealed = VAULT.seal("token set", "t1", {"access": "abc"})
    with pytest.raises(ConfigurationError):
        VAULT.open(purpose, owner, sealed)


@given(st.text())
def test_what_nobody_sealed_never_opens(text: str) -> None:
    with pytest.raises(ConfigurationError):
        VAULT.open("token set", "t1", text)


@given(st.data())
def test_one_changed_character_never_opens(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(SEALED.rstrip("=")) - 2))
    other = data.draw(st.sampled_from([c for c in "ABab01-_" if c != SEALED[place]]))
    with pytest.raises(ConfigurationError):
        VAULT.open("token set", "t1", SEALED[:place] + other + SEALED[place + 1 :])


def test_plaintext_never_opens() -> None:
    with pytest.raises(ConfigurationError):
        VAULT.open("token set", "t1", json.dumps({"v": 1, "purpose": "token set", "owner": "t1", "data": {}}))


def test_the_first_key_seals_and_every_key_opens() -> None:
    before = Vault([OLD]).seal("token set", "t1", {"a": 1})
    both = Vault([NEW, OLD])
    assert both.open("token set", "t1", before) == {"a": 1}
    assert Vault([NEW]).open("token set", "t1", both.seal("token set", "t1", {"a": 2})) == {"a": 2}
    with pytest.raises(ConfigurationError):
        Vault([NEW]).open("token set", "t1", before)


@pytest.mark.parametrize("keys", [[], [SecretStr("")], [SecretStr("short")], [OLD, SecretStr("x" * 44)]])
def test_a_vault_without_sound_keys_is_refused_without_telling_them(keys: list[SecretStr]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Vault(keys)
    assert OLD.get_secret_value() not in str(caught.value)


def test_data_that_json_does_not_know_is_refused() -> None:
    with pytest.raises(TypeError):
        VAULT.seal("token set", "t1", {"at": datetime(2026, 1, 1, tzinfo=UTC)})
    with pytest.raises(TypeError):
        VAULT.seal("token set", "t1", {"secret": SecretStr("abc")})


def test_nothing_of_the_content_or_the_keys_is_readable() -> None:
    sealed = VAULT.seal("token set", "owner-id", {"access": "planted"})
    assert "planted" not in sealed
    assert "owner-id" not in sealed
    assert OLD.get_secret_value() not in repr(VAULT)


def test_the_keys_are_made_once_and_only_for_this_user(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    keys = load_or_create_keys(settings_at(home))
    assert stat.S_IMODE((home / "keys").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert load_or_create_keys(settings_at(home)) == keys
    assert [file.name for file in home.iterdir()] == ["keys"]


def test_many_threads_at_once_get_the_same_keys(tmp_path: Path) -> None:
    settings = settings_at(tmp_path / "home")
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(load_or_create_keys, [settings] * 16))
    assert len(keys) == 1
    assert [file.name for file in settings.home.iterdir()] == ["keys"]


def test_two_processes_at_once_get_the_same_keys(tmp_path: Path) -> None:
    script = (
        "from duebell.settings import load; from duebell.vault import load_or_create_keys;"
        "print(load_or_create_keys(load(None, None))[0].get_secret_value())"
    )
    root = Path(__file__).resolve().parents[1]

    def run(home: str) -> str:
        environ = {**os.environ, "DUEBELL_HOME": home}
        command = [sys.executable, "-c", script]
        return subprocess.check_output(command, env=environ, cwd=root, text=True, timeout=60)

    with ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(run, [str(tmp_path / "home")] * 2))
    assert ran[0] == ran[1]
    assert len(ran[0].strip()) == 44


def test_the_environment_has_precedence_over_the_file(tmp_path: Path) -> None:
    both = f"{NEW.get_secret_value()},{OLD.get_secret_value()}"
    settings = load({"DUEBELL_HOME": str(tmp_path), "DUEBELL_ENCRYPTION_KEYS": both}, None)
    assert load_or_create_keys(settings) == (NEW, OLD)
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_f117_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    load_or_create_keys(settings_at(tmp_path))
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_or_create_keys(settings_at(tmp_path))


@pytest.mark.parametrize("content", ["", "# only a remark\n", "half-a-key\n", "clé\n"])
def test_a_damaged_key_file_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content, encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(ConfigurationError):
        load_or_create_keys(settings_at(tmp_path))
    assert file.read_text(encoding="utf-8") == content


def test_a_home_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError):
        load_or_create_keys(settings_at(tmp_path / "file" / "home"))
