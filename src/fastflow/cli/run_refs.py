"""How people name a run: its id, the end of it, `last`, or `last:PIPELINE`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastflow.cli.client import Api, part
from fastflow.cli.output import local_time
from fastflow.kit.errors import Conflict, InvalidInput, NotFound
from fastflow.kit.ids import SHORTEST_TAIL

_ID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}")
_TAIL = re.compile(r"[0-9a-fA-F-]{6,36}")
_MOST_CANDIDATES = 10
_HINT = (
    f"Give an id, the last {SHORTEST_TAIL} or more digits of one, `last`, or `last:PIPELINE`; `GET /runs` shows them."
)


def find_run(api: Api, reference: str) -> str:
    """The id of the run that is meant.

    Raises:
        NotFound: there is none.
        Conflict: several ids end like that; names them.
        InvalidInput: the text names no run.
    """
    if _ID.fullmatch(reference):
        return reference
    word, _, pipeline = reference.partition(":")
    if word == "last" and (pipeline or reference == "last"):
        return _newest(api, pipeline or None)
    if not _TAIL.fullmatch(reference):
        raise InvalidInput(f"{reference[:80]!r} names no run.", code="invalid_id", hint=_HINT)
    found = api.get("/runs", id_tail=reference, limit=_MOST_CANDIDATES + 1)["items"]
    if not found:
        raise NotFound(
            f"No run of {api.place_of('/runs')} has an id that ends with {reference!r}.",
            code="run_not_found",
            hint="`GET /runs` shows ids by their end; the beginning of an id is its time, which many runs share.",
        )
    if len(found) > 1:
        raise _ambiguous(reference, found)
    return str(found[0]["id"])


def _newest(api: Api, pipeline: str | None) -> str:
    found = api.get("/runs", limit=1, pipeline_name=pipeline)["items"]
    if not found:
        if pipeline:
            api.get(f"/pipelines/{part(pipeline)}")  # no pipeline of that name: says so, with the nearest names
        which = f" of pipeline {pipeline!r}" if pipeline else ""
        hint = "`POST /pipelines/{name}/run` makes one.".replace("{name}", pipeline or "{name}")
        raise NotFound(f"{api.place_of('/runs')} has no run{which} yet.", code="run_not_found", hint=hint)
    return str(found[0]["id"])


def _ambiguous(reference: str, found: Sequence[Mapping[str, Any]]) -> Conflict:
    told = [
        f"{run['id']}  {run['pipeline_name']}  {run['status']}  {local_time(run['queued_at'])}"
        for run in found[:_MOST_CANDIDATES]
    ]
    more = ["and more"] if len(found) > _MOST_CANDIDATES else []
    return Conflict(
        "\n  ".join([f"The ids of several runs end with {reference!r}:", *told, *more]),
        code="ambiguous_id",
        hint="Give more digits of the one that is meant.",
    )
