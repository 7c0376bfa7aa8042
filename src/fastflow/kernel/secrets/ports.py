"""What secrets need of their surroundings."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from fastflow.kernel.secrets.domain.records import Ciphertext, Secret, SecretChange, SecretVersion
from fastflow.kit.identity import Actor
from fastflow.kit.secret_text import SecretText


class Cipher(Protocol):
    """Authenticated encryption with a first key and any number of former ones."""

    def encrypt(self, value: SecretText) -> str:
        """The value under the first key."""
        ...

    def decrypt(self, ciphertext: str) -> SecretText | None:
        """The value; None when no key at hand fits."""
        ...

    def is_current(self, ciphertext: str) -> bool:
        """Whether it is under the first key."""
        ...

    def describe(self) -> str:
        """Where the keys come from, in words."""
        ...


class CiphertextHolder(Protocol):
    """Another room that keeps ciphertexts under the same keys."""

    def load_ciphertexts(self) -> Mapping[str, str]:
        """What it holds, each under a label of its own, which may be told."""
        ...

    def replace_ciphertext(self, label: str, old: str, new: str) -> bool:
        """Put a new ciphertext in place of the old one, if that is still there."""
        ...


class SecretStore(Protocol):
    """Secrets and their versions in the database. Every change is audited, without values, in its own transaction."""

    def add(self, secret: Secret, ciphertext: str, *, actor: Actor) -> Secret:
        """Keep a new secret. Its first version follows the last of an earlier secret of the same key, so that a key and
        a version never mean two values.

        Raises:
            SecretExists: the key is taken.
        """
        ...

    def change(self, key: str, change: SecretChange, ciphertext: str | None, *, actor: Actor, at: datetime) -> Secret:
        """Apply the change in one transaction; `ciphertext` (of `change.value`) becomes the current version and former
        ones are kept.

        Raises:
            UnknownSecret: there is no such secret.
        """
        ...

    def delete(self, key: str, *, actor: Actor, at: datetime) -> None:
        """Remove the secret and every version.

        Raises:
            UnknownSecret: there is no such secret.
        """
        ...

    def find(self, keys: Collection[str]) -> Mapping[str, Secret]:
        """Those of the keys that exist."""
        ...

    def load(self, *, after_key: str, limit: int) -> Sequence[Secret]:
        """At most `limit` secrets by key, after the given one."""
        ...

    def load_versions(self, key: str) -> Sequence[SecretVersion]:
        """Every version of the key, newest first."""
        ...

    def load_ciphertexts(self, versions: Mapping[str, int]) -> Mapping[str, str]:
        """Key -> ciphertext of those versions that exist."""
        ...

    def load_batch(self, after: tuple[str, int], limit: int) -> Sequence[Ciphertext]:
        """At most `limit` versions in the order of key and version, after the given one."""
        ...

    def replace(self, changed: Sequence[tuple[Ciphertext, str]]) -> int:
        """Put new ciphertexts in place of the given ones, where those are still there, in one transaction; how many."""
        ...

    def note_rotation(self, *, checked: int, encrypted_anew: int, actor: Actor, at: datetime) -> None:
        """Put a finished rotation into the audit log."""
        ...
