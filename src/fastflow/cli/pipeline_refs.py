"""Names of pipelines in filters: a misspelt one is told, instead of an empty list."""

from typing import TYPE_CHECKING

from fastflow.cli.client import part

if TYPE_CHECKING:
    from fastflow.cli.client import Api


def require_known(api: "Api", pipeline: str | None, found: object, cursor: str | None = None) -> None:
    """Refuse a filter that found nothing because there is no such pipeline; one that is gone and has runs is known.

    Args:
        api: the server.
        pipeline: the filter's; None: there is none.
        found: what the list answered; nothing is asked when it is something.
        cursor: of a later page, before which something was found.

    Raises:
        ServerProblem: there is no such pipeline; names near ones.
    """
    if found or pipeline is None or cursor is not None:
        return
    if not api.get("/runs", pipeline_name=pipeline, limit=1)["items"]:
        api.get(f"/pipelines/{part(pipeline)}")
