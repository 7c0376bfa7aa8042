"""Assembles secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastflow.kernel.db.engine import Database
from fastflow.kernel.secrets.infra.cipher import load_cipher
from fastflow.kernel.secrets.infra.store import SqlSecretStore
from fastflow.kernel.secrets.ports import Cipher, CiphertextHolder
from fastflow.kernel.secrets.service import SecretService
from fastflow.kit.clock import Clock, SystemClock


@dataclass(frozen=True, kw_only=True)
class SecretsRoom:
    """The service of the room, and what the start has to tell.

    Attributes:
        made_key_file: the key file that was made just now; None when there was a key already.
        cipher: for other rooms that keep what must not be read.
    """

    secrets: SecretService
    made_key_file: Path | None
    cipher: Cipher


def build_secrets(
    database: Database,
    *,
    encryption_key: str | None,
    data_dir: Path,
    holders: Sequence[CiphertextHolder] = (),
    clock: Clock | None = None,
) -> SecretsRoom:
    """Secrets on the product's database, under `ENCRYPTION_KEY` or the key file in `DATA_DIR`. The start of the server
    calls `verify_key` on it as well.

    Raises:
        EncryptionKeyUnusable: a key is malformed, or its file cannot be read or is readable by others.
    """
    store = SqlSecretStore(database)
    loaded = load_cipher(
        encryption_key,
        data_dir,
        may_make=lambda: (
            not store.load(after_key="", limit=1) and not any(holder.load_ciphertexts() for holder in holders)
        ),
    )
    service = SecretService(store, loaded.cipher, clock or SystemClock(), holders=holders)
    return SecretsRoom(secrets=service, made_key_file=loaded.made_key_file, cipher=loaded.cipher)
