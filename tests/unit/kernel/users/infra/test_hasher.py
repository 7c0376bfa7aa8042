"""Passwords are hashed with salt, and an unknown name costs what a known one costs."""

from pwdlib.hashers.argon2 import Argon2Hasher

from fastflow.kernel.users.infra.hasher import Argon2PasswordHasher


class _Counting(Argon2Hasher):
    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002  the library's name
        self.verified += 1
        return super().verify(password, hash)


def test_hash_when_made_twice_differs_and_both_verify() -> None:
    hasher = Argon2PasswordHasher(_Counting())
    first, second = hasher.hash("correct horse"), hasher.hash("correct horse")
    assert first != second
    assert hasher.verify("correct horse", first)
    assert hasher.verify("correct horse", second)
    assert not hasher.verify("correct house", first)


def test_verify_when_nobody_has_the_name_does_the_same_work_and_is_never_right() -> None:
    counting = _Counting()
    assert not Argon2PasswordHasher(counting).verify("anything", None)
    assert counting.verified == 1


def test_hash_when_made_for_real_uses_argon2id_with_64_mebibytes() -> None:
    assert Argon2PasswordHasher().hash("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")
