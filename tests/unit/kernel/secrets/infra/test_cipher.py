"""Keys come from ENCRYPTION_KEY or a private file; a bad one is told with the remedy and never shown."""

import concurrent.futures
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from fastflow.kernel.secrets.domain.errors import EncryptionKeyUnusable
from fastflow.kernel.secrets.infra.cipher import KEY_FILE, FernetCipher, load_cipher
from fastflow.kit.secret_text import SecretText


def _key() -> str:
    return Fernet.generate_key().decode()


def test_value_when_encrypted_comes_back_and_differs_each_time() -> None:
    cipher = FernetCipher([_key()], "ENCRYPTION_KEY")
    first, second = cipher.encrypt(SecretText("grüße")), cipher.encrypt(SecretText("grüße"))
    assert first != second
    assert "grüße" not in first
    assert cipher.decrypt(first) == cipher.decrypt(second) == SecretText("grüße")


def test_value_when_under_a_former_key_is_read_but_not_current() -> None:
    old, new = _key(), _key()
    text = FernetCipher([old], "").encrypt(SecretText("hunter2"))
    both = FernetCipher([new, old], "")
    assert both.decrypt(text) == SecretText("hunter2")
    assert not both.is_current(text)
    assert both.is_current(both.encrypt(SecretText("hunter2")))
    assert FernetCipher([new], "").decrypt(text) is None


def test_ciphertext_when_tampered_with_is_not_read() -> None:
    cipher = FernetCipher([_key()], "")
    text = cipher.encrypt(SecretText("hunter2"))
    assert cipher.decrypt(text[:-6] + "AAAA==") is None


@pytest.mark.parametrize("keys", ["short", f"{'A' * 43}=,short", "", " , "])
def test_encryption_key_when_malformed_is_named_and_not_shown(tmp_path: Path, keys: str) -> None:
    with pytest.raises(EncryptionKeyUnusable) as caught:
        load_cipher(keys, tmp_path)
    assert "ENCRYPTION_KEY" in caught.value.fields
    assert "short" not in str(caught.value)
    assert "generate_key" in caught.value.hint


def test_key_file_when_there_is_no_key_is_made_private_and_used_again(tmp_path: Path) -> None:
    first = load_cipher(None, tmp_path / "data")
    path = tmp_path / "data" / KEY_FILE
    assert first.made_key_file == path
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path], "nothing else is left behind"
    again = load_cipher(None, tmp_path / "data")
    assert again.made_key_file is None
    assert again.cipher.decrypt(first.cipher.encrypt(SecretText("hunter2"))) == SecretText("hunter2")


def test_key_file_when_many_start_at_once_is_one(tmp_path: Path) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        loaded = list(pool.map(lambda _: load_cipher(None, tmp_path), range(16)))
    assert sum(each.made_key_file is not None for each in loaded) == 1
    text = loaded[0].cipher.encrypt(SecretText("hunter2"))
    assert all(each.cipher.is_current(text) for each in loaded)


def test_key_file_when_it_holds_several_keys_encrypts_with_the_first(tmp_path: Path) -> None:
    old, new = _key(), _key()
    path = tmp_path / KEY_FILE
    path.write_text(f"{new}\n{old}\n")
    path.chmod(0o600)
    text = FernetCipher([old], "").encrypt(SecretText("hunter2"))
    cipher = load_cipher(None, tmp_path).cipher
    assert cipher.decrypt(text) == SecretText("hunter2")
    assert FernetCipher([new], "").decrypt(cipher.encrypt(SecretText("x"))) == SecretText("x")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_key_file_when_others_can_open_it_is_refused_with_the_command_to_run(tmp_path: Path, mode: int) -> None:
    load_cipher(None, tmp_path)
    (tmp_path / KEY_FILE).chmod(mode)
    with pytest.raises(EncryptionKeyUnusable, match="chmod 600"):
        load_cipher(None, tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"not a key"])
def test_key_file_when_damaged_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / KEY_FILE
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(EncryptionKeyUnusable):
        load_cipher(None, tmp_path)


def test_key_file_when_the_folder_cannot_hold_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EncryptionKeyUnusable, match="DATA_DIR"):
        load_cipher(None, tmp_path / "file")


def test_key_file_when_it_is_missing_though_secrets_exist_is_not_made(tmp_path: Path) -> None:
    loaded = load_cipher(None, tmp_path, may_make=lambda: False)
    assert loaded.made_key_file is None
    assert list(tmp_path.iterdir()) == []
    assert loaded.cipher.describe() == f"the key file {tmp_path / KEY_FILE}, which is not there"
