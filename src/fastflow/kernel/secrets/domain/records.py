"""Secrets and parameters as the room speaks of them. None of these prints a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fastflow.kit.secret_text import SecretText


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A named secret, or a plain parameter kept beside the secrets.

    Attributes:
        is_parameter: a plain parameter: its value may be read again and is not masked.
        pipelines: the only pipelines that may read it; None means every pipeline that lists the key.
        version: of the current value.
        value: of a parameter, when it was asked for; a secret's is never here.
    """

    key: str
    is_parameter: bool
    pipelines: tuple[str, ...] | None
    version: int
    created_at: datetime
    updated_at: datetime
    value: SecretText | None = None

    def allows(self, pipeline_name: str) -> bool:
        """Whether the pipeline may read it."""
        return self.pipelines is None or pipeline_name in self.pipelines


@dataclass(frozen=True, kw_only=True)
class SecretChange:
    """What to change of a secret.

    Attributes:
        value: the new value; None keeps it.
        pipelines: the new allow-list, when `sets_pipelines`.
    """

    value: SecretText | None = None
    pipelines: tuple[str, ...] | None = None
    sets_pipelines: bool = False


@dataclass(frozen=True, kw_only=True)
class SecretVersion:
    """One version of a value, without the value."""

    version: int
    created_at: datetime
    created_by: str


@dataclass(frozen=True, kw_only=True)
class Ciphertext:
    """An encrypted value and where it belongs."""

    key: str
    version: int
    text: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Revealed:
    """What a run is handed. Never log, store or send it.

    Attributes:
        values: environment variable -> value, of secrets and parameters.
        masked: the values to hide in the log: those of secrets.
    """

    values: Mapping[str, str] = field(repr=False)
    masked: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """What a rotation did.

    Attributes:
        checked: versions looked at.
        encrypted_anew: versions that were not under the first key.
    """

    checked: int
    encrypted_anew: int
