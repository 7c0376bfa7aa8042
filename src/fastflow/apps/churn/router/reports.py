"""Reports: `/experiments/{id}/report`."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from fastflow.apps.churn.report.render import MEDIA_TYPES, render
from fastflow.apps.churn.router.experiments import ExperimentId
from fastflow.apps.churn.service.reports import Reports
from fastflow.kernel.http.access import Viewer
from fastflow.kernel.http.ranges import attachment
from fastflow.ui.reports.html import file_name
from fastflow.ui.texts import choose_language

_FILES = {"schema": {"type": "string", "format": "binary"}}


def add_reports(router: APIRouter, reports: Reports) -> None:
    """The operation; it needs the role viewer on the pipeline `churn`."""

    @router.get(
        "/experiments/{experiment_id}/report",
        response_class=Response,
        responses={200: {"description": "The file.", "content": {"text/html": _FILES, "application/pdf": _FILES}}},
    )
    def download_report(
        actor: Viewer,
        experiment_id: ExperimentId,
        request: Request,
        form: Annotated[Literal["html", "pdf"], Query(alias="format", description="of the file")] = "html",
        language: Annotated[
            Literal["en", "de"] | None, Query(description="of the words; the browser's when not given")
        ] = None,
    ) -> Response:
        """The report of what the experiment's pipelines found so far, as one file that needs no other."""
        found = reports.find(experiment_id, actor=actor)
        spoken = language or choose_language(None, request.headers.get("accept-language", ""))
        headers = {
            "Content-Disposition": attachment(f"{experiment_id}-{file_name(found.name)}.{form}"),
            "X-Content-Type-Options": "nosniff",
        }
        return Response(
            render(found, spoken, form, reports.written(actor=actor)), media_type=MEDIA_TYPES[form], headers=headers
        )
