"""Secrets on the wire. Nothing here ever carries a secret's value outwards."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr

from fastflow.kernel.http.schemas import PageOut, PipelineNames, RequestBody
from fastflow.kernel.secrets.domain.records import Rotation, Secret, SecretVersion

Value = Annotated[SecretStr, Field(description="At most 64 KiB; a secret has at least 4 characters.")]
Pipelines = Annotated[
    PipelineNames | None,
    Field(description="The only pipelines that may read it; null: every pipeline that lists the key."),
]


class SecretIn(RequestBody):
    """A new secret or parameter."""

    key: str = Field(max_length=200, description="Name of the environment variable it is handed in as.")
    value: Value
    is_parameter: bool = Field(False, description="True: a plain parameter, readable again and not masked.")
    pipelines: Pipelines = None


class SecretChangeIn(RequestBody):
    """What to change; what is left away stays. Whether it is a parameter cannot change: delete it and make it anew."""

    value: Value | None = None
    pipelines: Pipelines = None


class SecretOut(BaseModel):
    """A secret or parameter."""

    key: str
    is_parameter: bool
    pipelines: list[str] | None
    version: int
    created_at: datetime
    updated_at: datetime
    value: str | None = Field(description="Of a parameter; null for a secret, whose value is never shown again.")

    @classmethod
    def of(cls, secret: Secret) -> "SecretOut":
        """The secret as the API shows it."""
        shown = secret.value.reveal() if secret.is_parameter and secret.value is not None else None
        return cls.model_validate({**vars(secret), "value": shown})


class SecretPage(PageOut[SecretOut]):
    """One page of secrets and parameters, by key."""


class SecretVersionOut(BaseModel):
    """One version of a value, without the value."""

    version: int
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, version: SecretVersion) -> "SecretVersionOut":
        """The version as the API shows it."""
        return cls.model_validate(version, from_attributes=True)


class SecretVersions(BaseModel):
    """Every version of one key, newest first."""

    items: list[SecretVersionOut]
    next_cursor: str | None = None


class RotationOut(BaseModel):
    """What a rotation did."""

    checked: int = Field(description="Versions looked at.")
    encrypted_anew: int = Field(description="Versions that were not under the first key of ENCRYPTION_KEY.")

    @classmethod
    def of(cls, rotation: Rotation) -> "RotationOut":
        """The rotation as the API shows it."""
        return cls.model_validate(rotation, from_attributes=True)
