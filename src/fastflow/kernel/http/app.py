"""Puts an app together: routers inside, problems, limits and headers around them. Tests of routers use it too."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI

from fastflow.kernel.http.access import Authenticate
from fastflow.kernel.http.declared import refuse_unknown_query
from fastflow.kernel.http.middleware import ErrorBarrier, RequestGuard
from fastflow.kernel.http.openapi import install_openapi, operation_id
from fastflow.kernel.http.page_figures import PageFigures
from fastflow.kernel.http.problems import install_problem_handlers
from fastflow.kernel.http.request_figures import CountedRequests, RequestFigures

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_DESCRIPTION = """Runs plain Python scripts isolated, in milliseconds, with live logs and a lasting history.

Errors are RFC 9457 problems (`application/problem+json`) with a stable `code` and a `hint` that says what to do. Lists
are pages: pass `next_cursor` back as `cursor`. Times are ISO 8601 in UTC, durations are seconds, ids are UUIDv7."""


@asynccontextmanager
async def _nothing(_app: FastAPI) -> AsyncIterator[None]:
    yield


def build_app(
    routers: Iterable[APIRouter],
    *,
    authenticate: Authenticate,
    credentials_changed: Callable[[], None] = lambda: None,
    version: str = "0",
    max_body_bytes: int = 10 * 2**20,
    uploads: Collection[str] = (),
    max_upload_bytes: int = 0,
    cookie_secure: bool = False,
    lifespan: Lifespan = _nothing,
) -> FastAPI:
    """An app in which every error is a problem, bodies are limited, no unknown query parameter passes, and the OpenAPI
    document is ours.

    Args:
        routers: the rooms' routers.
        authenticate: who a request comes from.
        credentials_changed: called after a change of users, sessions or tokens.
        version: shown in the OpenAPI document.
        max_body_bytes: the largest request body.
        uploads: paths whose bodies are files.
        max_upload_bytes: the largest body there.
        cookie_secure: cookies are for HTTPS alone, whatever the request says of itself.
        lifespan: what runs from the start of the app to its end.
    """
    app = FastAPI(
        title="Fast-Flow",
        description=_DESCRIPTION,
        version=version,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        lifespan=lifespan,
    )
    app.state.authenticate = authenticate
    app.state.credentials_changed = credentials_changed
    app.state.cookie_secure = cookie_secure
    app.state.request_figures = RequestFigures()
    app.state.page_figures = PageFigures  # none, unless there is an interface
    install_problem_handlers(app)
    for router in routers:
        app.include_router(router, dependencies=[Depends(refuse_unknown_query)])
    install_openapi(app)
    app.add_middleware(RequestGuard, max_body_bytes=max_body_bytes, uploads=uploads, max_upload_bytes=max_upload_bytes)
    app.add_middleware(ErrorBarrier)
    app.add_middleware(CountedRequests, figures=app.state.request_figures)
    return app
