"""`/metrics`, in the text format that Prometheus asks for."""

from collections.abc import Callable
from typing import Any, cast

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder

from fastflow.kernel.http.access import Viewer
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.metrics.schemas import Exposition
from fastflow.kernel.metrics.service import MetricsService
from fastflow.kit.identity import Actor

_OPENMETRICS = "application/openmetrics-text; version=1.0.0"
"""Fixed words: the encoders stumble over versions that are none."""
_TEXT = {"schema": {"type": "string"}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The figures.",
        "content": {"text/plain": _TEXT, "application/openmetrics-text": _TEXT},
    }
}


def build_router(metrics: MetricsService, *, version: str, is_public: bool) -> APIRouter:
    """The operation.

    Args:
        metrics: gathers.
        version: of the product.
        is_public: answer without credentials, pipelines' names included.
    """
    router = APIRouter(tags=["server"], responses=PROBLEM_RESPONSES)

    def answer(actor: Actor | None, request: Request) -> Response:
        figures = metrics.gather()
        encode, media_type = choose_encoder(_OPENMETRICS if "openmetrics" in request.headers.get("accept", "") else "")
        state = request.app.state
        exposition = Exposition(
            figures, metrics.labels(figures, actor), version, state.request_figures, state.page_figures()
        )
        text = cast("Callable[[Exposition], bytes]", encode)(exposition)
        return Response(text, media_type=media_type)

    def for_anybody(request: Request) -> Response:
        """How runs, queue, schedules, disk and the rest are, for Prometheus."""
        return answer(None, request)

    def for_viewers(actor: Viewer, request: Request) -> Response:
        """How runs, queue, schedules, disk and the rest are, for Prometheus.

        What is of a pipeline that you may not see is left out.
        """
        return answer(actor, request)

    endpoint = for_anybody if is_public else for_viewers
    router.add_api_route("/metrics", endpoint, name="get_metrics", response_class=Response, responses=_ANSWERS)
    return router
