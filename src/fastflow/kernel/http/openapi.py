"""The OpenAPI document: stable operation ids, the problem schema, the tags of the rooms."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from fastflow.kernel.http.problems import Problem

TAGS: tuple[tuple[str, str], ...] = (
    ("pipelines", "Scripts that can be run."),
    ("runs", "Submitting, following, cancelling and repeating runs."),
    ("logs", "What runs print, stored and live."),
    ("artifacts", "Files that runs leave."),
    ("scheduler", "When runs are due, and what became of every due time."),
    ("daemons", "Pipelines that are supervised services."),
    ("failures", "Failed runs in groups, what changed, and runs that failed for good."),
    ("flows", "Pipelines that run after one another, and backfills."),
    ("alerts", "Where messages go, what is worth one, what was told."),
    ("webhooks", "Runs that other systems start with a call of their own."),
    ("sync", "Pipelines from Git: plans, syncs, rollbacks, webhooks."),
    ("environments", "The content-addressed environments that runs execute in."),
    ("secrets", "Secrets and parameters handed to runs."),
    ("auth", "Logging in and out."),
    ("users", "People who may log in."),
    ("tokens", "Bearer tokens for programs."),
    ("audit", "Who changed what."),
    ("churn", "Churn workbench: its database, experiments and outbox."),
    ("server", "Whether the server is alive and ready, and its figures."),
)


def operation_id(route: APIRoute) -> str:
    """`runs_list_runs`: the room and the endpoint function, stable as long as both keep their names."""
    return f"{route.tags[0]}_{route.name}" if route.tags else route.name


def install_openapi(app: FastAPI) -> None:
    """Let `app.openapi()` give a document in which every error is a `Problem`."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents for changing the document


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version=app.openapi_version,
        description=app.description,
        routes=app.routes,
        license_info=app.license_info,
    )
    used = {tag for path in document["paths"].values() for operation in path.values() for tag in operation["tags"]}
    document["tags"] = [{"name": name, "description": text} for name, text in TAGS if name in used]
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return document
