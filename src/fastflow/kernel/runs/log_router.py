"""HTTP for logs, live streams, the feed of events and artifacts."""

import hashlib
import mimetypes
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import StringConstraints

from fastflow.kernel.http.access import Viewer
from fastflow.kernel.http.problems import PROBLEM_RESPONSES
from fastflow.kernel.http.ranges import Body, attachment, ranged_response
from fastflow.kernel.http.sse import EventStreamResponse, resume_position
from fastflow.kernel.runs.domain.log_line import Stream
from fastflow.kernel.runs.domain.logged_run import LogQuery
from fastflow.kernel.runs.log_ports import OpenLog
from fastflow.kernel.runs.log_schemas import ArtifactsOut, LiveRunsOut, artifact_out, live_run_out, polled_out
from fastflow.kernel.runs.log_service import LogService
from fastflow.kit.errors import InvalidInput
from fastflow.kit.ids import parse_id

MAX_OFFSET = 2**62
MAX_TAIL = 100_000
MAX_GREPS = 20

RunId = Annotated[str, Path(description="Id of the run.", max_length=100)]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET)]
JobId = Annotated[str | None, Query(max_length=100, description="Only this run: a job's id is its run's.")]
LastEventId = Annotated[
    str | None, Header(description="Id of the last event received: the stream goes on after it.", max_length=100)
]
Kinds = Annotated[
    list[Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,20}$")]] | None,
    Query(description="Only events of these kinds: state, progress, metric, output, sample, note.", max_length=20),
]

_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The log.", "content": {"text/plain": {"schema": {"type": "string"}}}},
    206: {
        "description": "The range of it that was asked for.",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    },
    304: {"description": "It is what the ETag sent along names."},
    416: {"description": "The range begins beyond the end."},
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file.", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
    206: {
        "description": "The range of it that was asked for.",
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
    },
    304: {"description": "It is what the ETag sent along names."},
    416: {"description": "The range begins beyond the end."},
}
_LOG_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events: `log` with `{ts, stream, line}` and the byte offset after the line as id, "
        "`skipped` with `{from, to}`, at last `end` with `{status, reason, exit_code}`.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
_RUN_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events named by their kind, with `{run_id, pipeline_name, at, kind, data}`.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def build_log_router(logs: LogService) -> APIRouter:
    """The routes, over the service."""
    router = APIRouter(responses=PROBLEM_RESPONSES)
    _add_log(router, logs)
    _add_streams(router, logs)
    _add_artifacts(router, logs)
    return router


def _add_log(router: APIRouter, logs: LogService) -> None:
    @router.head("/runs/{run_id}/logs", include_in_schema=False)
    @router.get("/runs/{run_id}/logs", tags=["logs"], responses=_TEXT, response_class=Response)
    def read_log(
        request: Request,
        actor: Viewer,
        run_id: RunId,
        tail: Annotated[int | None, Query(ge=0, le=MAX_TAIL, description="Only the last lines.")] = None,
        grep: Annotated[
            str | None,
            Query(
                min_length=1, max_length=1000, description="Only lines that contain this text (no regular expression)."
            ),
        ] = None,
        or_grep: Annotated[
            list[Annotated[str, StringConstraints(min_length=1, max_length=1000)]] | None,
            Query(max_length=MAX_GREPS, description="With `grep`: or one of these texts."),
        ] = None,
        ignore_case: Annotated[bool, Query(description="`grep` takes letters of either case (A to Z).")] = False,
        whole_words: Annotated[
            bool, Query(description="`grep` takes the text where no letter, digit or underscore stands beside it.")
        ] = False,
        stream: Annotated[Stream | None, Query(description="Only this stream's lines.")] = None,
        times: Annotated[bool, Query(description="Lines as stored: time, stream, F or P, text.")] = False,
        offsets: Annotated[
            bool, Query(description="With `times`: each line begins with its byte offset in the file.")
        ] = False,
        from_: Annotated[Offset, Query(alias="from", description="Byte offset in the file, moved back to a line.")] = 0,
        to: Annotated[Offset | None, Query(description="Byte offset in the file, moved on to a line's end.")] = None,
        download: Annotated[bool, Query(description="As a file to save.")] = False,
    ) -> Response:
        """The log as text, the script's bytes as they are. `Log-From` and `Log-To` tell which bytes of the file it
        covers: ask again with `from` = `Log-To` for what comes later."""
        needles = [text.encode(errors="surrogatepass") for text in (grep, *(or_grep or ())) if text is not None]
        query = LogQuery(
            tail=tail,
            grep=needles[0] if grep is not None else None,
            or_grep=tuple(needles[1:]) if grep is not None else (),
            whole_words=whole_words,
            ignore_case=ignore_case,
            stream=stream,
            times=times,
            offsets=offsets and times,
            start=from_,
            end=to,
        )
        run, log = logs.open_log(actor, parse_id(run_id, "run_id"), query)
        headers = {
            "Cache-Control": "no-cache",
            "Log-From": str(log.start if log else 0),
            "Log-To": str(log.end if log else 0),
        }
        if download:
            headers["Content-Disposition"] = attachment(f"{run.pipeline_name}-{run.id}.log")
        etag = _etag(log.version, query) if log is not None and run.ended else None
        return ranged_response(request, _body(log, etag), media_type="text/plain; charset=utf-8", headers=headers)

    @router.get("/logs/live", tags=["logs"])
    def list_live(
        actor: Viewer,
        lines: Annotated[int, Query(ge=0, le=100, description="Last lines of each run.")] = 10,
        limit: Annotated[int, Query(ge=1, le=200, description="At most so many runs.")] = 50,
        job_id: JobId = None,
        since: Annotated[
            Offset | None, Query(description="With `job_id`: lines after this id; without it, the last ones.")
        ] = None,
    ) -> LiveRunsOut:
        """The runs that run now, newest first, each with its last lines. With `job_id` that run alone, even once it has
        ended: the lines, ids and texts of its live stream, to be asked for again with `next_since`."""
        if job_id is not None:
            return polled_out(logs.poll_log(actor, parse_id(job_id, "job_id"), since=since, lines=max(1, lines)))
        if since is not None:
            raise _of_one_job("since")
        return LiveRunsOut(items=[live_run_out(live) for live in logs.list_live(actor, lines=lines, limit=limit)])


def _add_streams(router: APIRouter, logs: LogService) -> None:
    @router.get("/runs/{run_id}/logs/stream", tags=["logs"], responses=_LOG_EVENTS, response_class=Response)
    async def follow_log(
        actor: Viewer,
        run_id: RunId,
        since: Annotated[Offset | None, Query(description="Byte offset to begin at: an event's id.")] = None,
        from_: Annotated[Offset | None, Query(alias="from", description="The same as `since`.")] = None,
        tail: Annotated[int | None, Query(ge=0, le=MAX_TAIL, description="Begin so many lines before the end.")] = None,
        unfinished: Annotated[
            bool, Query(description="Also `event: unfinished`, without id, for text whose line has no end yet.")
        ] = False,
        last_event_id: LastEventId = None,
    ) -> Response:
        """The log from the beginning, or after the event named by `Last-Event-ID` or `since`, until the run has
        ended. A reader slower than LOG_STREAM_RATE_LIMIT lines per second is told which bytes were skipped."""
        position = resume_position(last_event_id, since if since is not None else from_)
        events = await logs.follow_log(
            actor, parse_id(run_id, "run_id"), since=position, tail=tail, unfinished=unfinished
        )
        return EventStreamResponse(events)

    @router.get("/logs/stream", tags=["logs"], responses=_RUN_EVENTS, response_class=Response)
    async def listen(
        actor: Viewer,
        since: Annotated[
            Offset | None, Query(description="Id of the last event known; without it, from now on.")
        ] = None,
        kind: Kinds = None,
        job_id: JobId = None,
        last_event_id: LastEventId = None,
    ) -> Response:
        """What happens to all runs: changes of state, progress, metrics, outputs. Resumes by id. With `job_id` the log of
        that run alone, as `/runs/{run_id}/logs/stream` tells it."""
        if job_id is not None:
            if kind is not None:
                raise _not_of_a_log("kind")
            run_id, position = parse_id(job_id, "job_id"), resume_position(last_event_id, since)
            return EventStreamResponse(await logs.follow_log(actor, run_id, since=position))
        return EventStreamResponse(logs.listen(actor, since=resume_position(last_event_id, since), kinds=kind))


def _add_artifacts(router: APIRouter, logs: LogService) -> None:
    @router.get("/runs/{run_id}/artifacts", tags=["runs"])
    def list_artifacts(actor: Viewer, run_id: RunId) -> ArtifactsOut:
        """The files the run left in `$FASTFLOW_ARTIFACTS`."""
        wanted = parse_id(run_id, "run_id")
        found = logs.list_artifacts(actor, wanted)
        return ArtifactsOut(
            items=[artifact_out(item, f"/runs/{wanted}/artifacts/{quote(item.path)}") for item in found]
        )

    @router.head("/runs/{run_id}/artifacts/{path:path}", include_in_schema=False)
    @router.get("/runs/{run_id}/artifacts/{path:path}", tags=["runs"], responses=_FILE, response_class=Response)
    def read_artifact(request: Request, actor: Viewer, run_id: RunId, path: str) -> Response:
        """One of those files, to be saved."""
        opened = logs.open_artifact(actor, parse_id(run_id, "run_id"), path)
        size = opened.artifact.size_bytes
        body = Body(
            size=size, count=lambda: size, read=opened.read, close=opened.close, etag=f'"{opened.artifact.sha256}"'
        )
        headers = {
            "Cache-Control": "private, no-cache",
            "Content-Disposition": attachment(path.rsplit("/", 1)[-1]),
            "X-Content-Type-Options": "nosniff",
        }
        media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
        return ranged_response(request, body, media_type=media_type, headers=headers)


def _of_one_job(field: str) -> InvalidInput:
    return InvalidInput(
        f"{field} is an id within the log of one run.",
        hint="Name the run with job_id.",
        fields={field: "needs job_id"},
    )


def _not_of_a_log(field: str) -> InvalidInput:
    return InvalidInput(
        f"{field} chooses events, and the log of one run has none of them.",
        hint="Leave kind away, or job_id.",
        fields={field: "does not go with job_id"},
    )


def _body(log: OpenLog | None, etag: str | None) -> Body:
    if log is None:
        return Body(size=0, count=lambda: 0, read=lambda _start, _end: iter(()), close=lambda: None)
    return Body(
        size=log.size, count=lambda: sum(map(len, log.read(0, None))), read=log.read, close=log.close, etag=etag
    )


def _etag(version: str, query: LogQuery) -> str:
    form = hashlib.blake2b(repr(query).encode(), digest_size=6).hexdigest()
    return f'"{version}-{form}"'
