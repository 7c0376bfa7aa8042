"""Fernet encryption and where its keys come from: `ENCRYPTION_KEY`, else a key file in `DATA_DIR`."""

import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from fastflow.kernel.secrets.domain.errors import EncryptionKeyUnusable
from fastflow.kit.secret_text import SecretText

KEY_FILE = "encryption.key"


class FernetCipher:
    """Encrypts with the first key, decrypts with any.

    Args:
        keys: Fernet keys; at least one.
        source: where they come from, in words.

    Raises:
        EncryptionKeyUnusable: a key is no Fernet key; never shows it.
    """

    def __init__(self, keys: list[str], source: str) -> None:
        fernets = [_fernet(key, position, source) for position, key in enumerate(keys, 1)]
        self._first = fernets[0]
        self._all = MultiFernet(fernets)
        self._source = source

    def encrypt(self, value: SecretText) -> str:
        """See `Cipher.encrypt`."""
        return self._first.encrypt(value.reveal().encode()).decode()

    def decrypt(self, ciphertext: str) -> SecretText | None:
        """See `Cipher.decrypt`."""
        try:
            return SecretText(self._all.decrypt(ciphertext.encode()).decode())
        except InvalidToken:
            return None

    def is_current(self, ciphertext: str) -> bool:
        """See `Cipher.is_current`."""
        try:
            self._first.decrypt(ciphertext.encode())
        except InvalidToken:
            return False
        return True

    def describe(self) -> str:
        """See `Cipher.describe`."""
        return self._source


@dataclass(frozen=True, kw_only=True)
class LoadedCipher:
    """A cipher and whether its key file was made just now (the start tells so)."""

    cipher: FernetCipher
    made_key_file: Path | None


def load_cipher(
    encryption_key: str | None, data_dir: Path, *, may_make: Callable[[], bool] = lambda: True
) -> LoadedCipher:
    """The cipher with the keys of `ENCRYPTION_KEY`, else of the key file, which is made when it is not there.

    Args:
        encryption_key: the setting.
        data_dir: where the key file is.
        may_make: asked when there is no key: False because secrets exist, which a new key could never open. The cipher
            opens nothing then, and no file is made that would hide what is missing.

    Raises:
        EncryptionKeyUnusable: a key is malformed, or its file cannot be read or is readable by others.
    """
    if encryption_key is not None:
        return LoadedCipher(cipher=FernetCipher(_split(encryption_key), "ENCRYPTION_KEY"), made_key_file=None)
    path = data_dir / KEY_FILE
    if not path.exists() and not may_make():
        nothing = [Fernet.generate_key().decode()]
        return LoadedCipher(
            cipher=FernetCipher(nothing, f"the key file {path}, which is not there"), made_key_file=None
        )
    made = not path.exists() and _make_key_file(path)
    return LoadedCipher(
        cipher=FernetCipher(_split(_read_key_file(path)), f"the key file {path}"), made_key_file=path if made else None
    )


def _split(text: str) -> list[str]:
    keys = [part for part in re.split(r"[,\s]+", text) if part]
    return keys or [""]


def _fernet(key: str, position: int, source: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError as error:
        raise _unusable(
            f"key {position} of {source} is not 32 bytes in URL-safe base64",
            "Make a key with `python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'`; "
            "separate several with commas.",
        ) from error


def _read_key_file(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if mode & 0o077:
            raise _unusable(f"the key file {path} can be read by other users", f"Run `chmod 600 {path}`.")
        return path.read_text("ascii")
    except UnicodeDecodeError as error:
        raise _unusable(f"the key file {path} is damaged", "Put it back from a backup.") from error
    except OSError as error:
        raise _unusable(
            f"the key file {path} cannot be read: {error.strerror}",
            "Make it readable for the user the server runs as, or set ENCRYPTION_KEY.",
        ) from error


def _make_key_file(path: Path) -> bool:
    """Write a fresh key aside and link it into place, so that no reader ever sees half of it; of several processes that
    do so at once, the first one's key stays. Whether it was ours."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_private(aside, Fernet.generate_key() + b"\n")
        try:
            path.hardlink_to(aside)
        except FileExistsError:
            return False
        finally:
            aside.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        raise _unusable(
            f"the key file {path} cannot be made: {error.strerror}",
            "Make DATA_DIR writable for the user the server runs as, or set ENCRYPTION_KEY.",
        ) from error
    return True


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(problem: str, hint: str) -> EncryptionKeyUnusable:
    return EncryptionKeyUnusable(
        f"ENCRYPTION_KEY cannot be used: {problem}.", hint=hint, fields={"ENCRYPTION_KEY": problem}
    )
