"""Wire types of logs, live runs and artifacts."""

from datetime import datetime

from pydantic import BaseModel, Field

from fastflow.kernel.runs.domain.log_event import line_fields
from fastflow.kernel.runs.domain.logged_run import LiveLog, LoggedRun, PolledLog, StoredArtifact


class LogLineOut(BaseModel):
    """A line of a log."""

    id: int | None = Field(None, description="As in the live stream; only of one job's lines.")
    ts: str = Field(description="When it was written, RFC 3339 with nanoseconds.")
    stream: str = Field(description="stdout or stderr.")
    line: str = Field(description="The text; bytes that are not UTF-8 appear as U+FFFD.")
    b64: str | None = Field(None, description="The text's bytes in base64, only when they are not UTF-8.")
    partial: bool = Field(False, description="Whether the line has no end yet.")


class LiveRunOut(BaseModel):
    """A run and lines of its log."""

    run_id: str
    pipeline_name: str
    status: str
    since: datetime = Field(description="When it was started.")
    lines: list[LogLineOut] = Field(description="Oldest first; each cut to 4 KiB.")


class LiveRunsOut(BaseModel):
    """The runs that run now, newest first; or one job."""

    items: list[LiveRunOut]
    next_since: int | None = Field(None, description="Of one job: ask again with `since` as this.")


class ArtifactOut(BaseModel):
    """A file a run left."""

    path: str = Field(description="Relative to the run's artifact folder.")
    size_bytes: int
    sha256: str
    created_at: datetime
    url: str = Field(description="Where to fetch it.")


class ArtifactsOut(BaseModel):
    """The files a run left, in the order of their paths; empty until it has ended."""

    items: list[ArtifactOut]


def live_run_out(live: LiveLog) -> LiveRunOut:
    """The wire form of a running run."""
    lines = [
        LogLineOut(ts=line.at, stream=line.stream, partial=line.is_part, **line_fields(line.text))
        for line in live.lines
    ]
    return _run_out(live.run, lines)


def polled_out(polled: PolledLog) -> LiveRunsOut:
    """The wire form of lines that were asked for."""
    lines = [LogLineOut(id=number, **data) for number, data in polled.lines]
    return LiveRunsOut(items=[_run_out(polled.run, lines)], next_since=polled.end)


def _run_out(run: LoggedRun, lines: list[LogLineOut]) -> LiveRunOut:
    return LiveRunOut(run_id=run.id, pipeline_name=run.pipeline_name, status=run.status, since=run.since, lines=lines)


def artifact_out(artifact: StoredArtifact, url: str) -> ArtifactOut:
    """The wire form of an artifact."""
    return ArtifactOut(
        path=artifact.path,
        size_bytes=artifact.size_bytes,
        sha256=artifact.sha256,
        created_at=artifact.created_at,
        url=url,
    )
