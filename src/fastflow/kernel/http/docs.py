"""`/docs`, `/redoc` and `/openapi.json`, for callers who may read. The pages' scripts and styles come from this server
(package `fastapi-offline`, which bundles Swagger UI and ReDoc): they work on a machine without internet."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathParam
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

from fastflow.kernel.http.access import Viewer
from fastflow.kit.errors import NotFound

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "worker-src blob:; font-src 'self'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY}
_ASSETS = Path(str(files("fastapi_offline"))) / "static"
_FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js", "favicon.png")

_SWAGGER_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Fast-Flow API</title>
<link rel="icon" href="docs/assets/favicon.png"><link rel="stylesheet" href="docs/assets/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script><script src="docs/start.js"></script></body>
</html>
"""
_SWAGGER_START = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, displayRequestDuration: true, filter: true,
  persistAuthorization: false, validatorUrl: null, layout: "BaseLayout"
});
"""
_REDOC_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Fast-Flow API</title><link rel="icon" href="docs/assets/favicon.png"></head>
<body><redoc spec-url="openapi.json" disable-google-font="true"></redoc>
<script src="docs/assets/redoc.standalone.js"></script></body>
</html>
"""


def build_router() -> APIRouter:
    """The pages that document the API; they are not part of the document."""
    router = APIRouter(include_in_schema=False)

    @router.get("/openapi.json")
    def get_openapi_document(_actor: Viewer, request: Request) -> Response:
        """The OpenAPI document."""
        return JSONResponse(request.app.openapi())

    @router.get("/docs")
    def show_docs(_actor: Viewer) -> Response:
        """The API, to read and to try."""
        return HTMLResponse(_SWAGGER_PAGE, headers=_HEADERS)

    @router.get("/docs/start.js")
    def start_docs(_actor: Viewer) -> Response:
        """Starts Swagger UI; a file of its own, as the page allows no inline scripts."""
        return Response(_SWAGGER_START, media_type="text/javascript")

    @router.get("/redoc")
    def show_redoc(_actor: Viewer) -> Response:
        """The API, to read."""
        return HTMLResponse(_REDOC_PAGE, headers=_HEADERS)

    @router.get("/docs/assets/{name}")
    def get_asset(_actor: Viewer, name: Annotated[str, PathParam(max_length=60)]) -> Response:
        """A script or style of the pages."""
        if name not in _FILES:
            raise NotFound(f"There is no file {name!r} here.", code="unknown_path")
        return FileResponse(_ASSETS / name, headers={"Cache-Control": "private, max-age=3600"})

    return router
