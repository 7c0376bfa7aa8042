"""`/docs`, `/redoc` and `/openapi.json`, for callers who may read. The pages' scripts and styles come from this server
(package `fastapi-offline`, which bundles Swagger UI and ReDoc): they work on a machine without internet."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathParam
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from fastflow.kernel.http.access import Viewer, authenticated
from fastflow.kit.errors import NotFound, Unauthenticated
from fastflow.kit.identity import Role

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
_LOCKED_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Fast-Flow API</title></head>
<body style="font: 16px/1.5 sans-serif; max-width: 44em; margin: 4em auto; padding: 0 1em">
<h1>Fast-Flow API</h1>
<p>This page needs credentials, and a browser cannot log in here yet. The same document can be had in two ways:</p>
<ul>
<li>on the server's machine: <code>fastflow openapi &gt; openapi.json</code></li>
<li>from anywhere, with a token from <code>fastflow tokens create NAME --role viewer</code>:
<code>curl -H "Authorization: Bearer TOKEN" ADDRESS/openapi.json</code></li>
</ul>
<p>Whoever has a session cookie of this server (<code>POST /auth/login</code>) sees the page itself.</p>
</body>
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

    @router.get("/")
    def show_front(request: Request) -> Response:
        """Where a browser ends up that is given the server's address."""
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("ui/", 303)
        return JSONResponse(
            {"service": "Fast-Flow", "health": "/health", "ready": "/ready", "openapi": "/openapi.json"}
        )

    @router.get("/openapi.json")
    def get_openapi_document(_actor: Viewer, request: Request) -> Response:
        """The OpenAPI document."""
        return JSONResponse(request.app.openapi())

    @router.get("/docs")
    async def show_docs(request: Request) -> Response:
        """The API, to read and to try."""
        return await _page(request, _SWAGGER_PAGE)

    @router.get("/docs/start.js")
    def start_docs(_actor: Viewer) -> Response:
        """Starts Swagger UI; a file of its own, as the page allows no inline scripts."""
        return Response(_SWAGGER_START, media_type="text/javascript")

    @router.get("/redoc")
    async def show_redoc(request: Request) -> Response:
        """The API, to read."""
        return await _page(request, _REDOC_PAGE)

    @router.get("/docs/assets/{name}")
    def get_asset(_actor: Viewer, name: Annotated[str, PathParam(max_length=60)]) -> Response:
        """A script or style of the pages."""
        if name not in _FILES:
            raise NotFound(f"There is no file {name!r} here.", code="unknown_path")
        return FileResponse(_ASSETS / name, headers={"Cache-Control": "private, max-age=3600"})

    return router


async def _page(request: Request, text: str) -> Response:
    """The page for a caller who may read; a browser without credentials is told how else to look at the API.

    Raises:
        Unauthenticated, Forbidden: the caller may not read, and is no browser.
    """
    try:
        actor = await authenticated(request)
    except Unauthenticated:
        if "text/html" not in request.headers.get("accept", ""):
            raise
        return HTMLResponse(_LOCKED_PAGE, 401, headers={**_HEADERS, "WWW-Authenticate": 'Bearer realm="fastflow"'})
    actor.require_somewhere(Role.VIEWER)
    return HTMLResponse(text, headers=_HEADERS)
