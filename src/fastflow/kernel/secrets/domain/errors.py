"""What can go wrong with secrets."""

from fastflow.kit.errors import Conflict, Forbidden, InvalidInput, NotFound


class UnknownSecret(NotFound):
    """No secret or parameter has this key (any more), or not this version."""

    default_code = "unknown_secret"
    default_hint = "`GET /secrets` lists the keys; `POST /secrets` makes a new one."


class SecretNotAllowed(Forbidden):
    """The secret's allow-list leaves this pipeline out."""

    default_code = "secret_not_allowed"
    default_hint = (
        "Add the pipeline to the secret's list with `PUT /secrets/{key}`, or take the key out of its pipeline.toml."
    )


class SecretExists(Conflict):
    """The key is taken."""

    default_code = "secret_exists"
    default_hint = "Set a new version with `PUT /secrets/{key}`."


class WrongEncryptionKey(InvalidInput):
    """What the database holds cannot be decrypted with the keys at hand."""

    default_code = "wrong_encryption_key"


class EncryptionKeyUnusable(InvalidInput):
    """A key is malformed, or its file cannot be read or is readable by others."""

    default_code = "invalid_setting"
