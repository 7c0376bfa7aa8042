"""`/secrets`."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from fastflow.kernel.http.access import Admin, PipelineAdmin, Viewer
from fastflow.kernel.http.params import Cursor, Limit
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.secrets.domain.records import SecretChange
from fastflow.kernel.secrets.schemas import (
    RotationOut,
    SecretChangeIn,
    SecretIn,
    SecretOut,
    SecretPage,
    SecretVersionOut,
    SecretVersions,
)
from fastflow.kernel.secrets.service import SecretService
from fastflow.kit.pages import DEFAULT_PAGE_SIZE
from fastflow.kit.secret_text import SecretText

Key = Annotated[str, Path(max_length=200, description="The secret's key.")]


def build_router(secrets: SecretService) -> APIRouter:
    """The operations on secrets; reading the list needs the role viewer, everything else admin: of
    everything, or of each pipeline that may read the secret."""
    router = APIRouter(prefix="/secrets", tags=["secrets"], responses=PROBLEM_RESPONSES)

    @router.get("")
    def list_secrets(actor: Viewer, cursor: Cursor = None, limit: Limit = DEFAULT_PAGE_SIZE) -> SecretPage:
        """Every key, by name; values of parameters only."""
        return SecretPage.of(secrets.list(cursor=cursor, limit=limit, actor=actor))

    @router.post("", status_code=201)
    def create_secret(actor: PipelineAdmin, body: SecretIn, response: Response) -> SecretOut:
        """A new secret or parameter."""
        secret = secrets.create(
            body.key,
            SecretText(body.value.get_secret_value()),
            is_parameter=body.is_parameter,
            pipelines=_tuple(body.pipelines),
            actor=actor,
        )
        response.headers["Location"] = f"/secrets/{secret.key}"
        return SecretOut.of(secret)

    @router.post("/rotate")
    def rotate_secrets(actor: Admin) -> RotationOut:
        """Encrypt every value anew with the first key of ENCRYPTION_KEY. May be repeated at any time."""
        return RotationOut.of(secrets.rotate(actor=actor))

    @router.put("/{key}")
    def set_secret(actor: PipelineAdmin, key: Key, body: SecretChangeIn) -> SecretOut:
        """A new value, a new list of pipelines, or both."""
        change = SecretChange(
            value=None if body.value is None else SecretText(body.value.get_secret_value()),
            pipelines=_tuple(body.pipelines),
            sets_pipelines="pipelines" in body.model_fields_set,
        )
        return SecretOut.of(secrets.change(key, change, actor=actor))

    @router.delete("/{key}", status_code=204)
    def delete_secret(actor: PipelineAdmin, key: Key) -> None:
        """Remove it with every version; runs that had it can no longer be repeated exactly."""
        secrets.delete(key, actor=actor)

    @router.get("/{key}/versions")
    def list_secret_versions(actor: Viewer, key: Key) -> SecretVersions:
        """Every version, newest first, without values."""
        return SecretVersions(items=[SecretVersionOut.of(version) for version in secrets.versions(key, actor=actor)])

    return router


def _tuple(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
