"""Password hashing with argon2id."""

import secrets
import threading

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

_AT_ONCE = 2
"""Hashes computed at the same time: each takes 64 MiB and some 60 ms of one processor (argon2id at RFC 9106's second
recommended parameters), so that a flood of logins cannot exhaust the server's memory."""


class Argon2PasswordHasher:
    """argon2id.

    Args:
        hasher: the parameters; tests hand in cheap ones.
    """

    def __init__(self, hasher: Argon2Hasher | None = None) -> None:
        self._hash = PasswordHash((hasher or Argon2Hasher(),))
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._nobody: str | None = None

    def hash(self, password: str) -> str:
        """See `PasswordHasher.hash`."""
        with self._slots:
            return self._hash.hash(password)

    def verify(self, password: str, password_hash: str | None) -> bool:
        """See `PasswordHasher.verify`."""
        nobody = self._hash_of_nobody()
        with self._slots:
            return self._hash.verify(password, password_hash or nobody) and password_hash is not None

    def _hash_of_nobody(self) -> str:
        """The hash that unknown names are compared with: same parameters, so the same time."""
        if self._nobody is None:
            self._nobody = self.hash(secrets.token_urlsafe(16))
        return self._nobody
