"""What the palette offers of runs: one by the end of its id, the last of a pipeline, else the latest."""

from collections.abc import Sequence

from fastflow.kernel.runs.domain.run import Run, RunFilter
from fastflow.kernel.runs.service import RunService
from fastflow.kit.errors import InvalidInput
from fastflow.kit.identity import Actor, Role
from fastflow.kit.ids import parse_tail
from fastflow.ui.manifest import Finder, Found, fits
from fastflow.ui.parts import short
from fastflow.ui.texts import Data, Texts

_SEARCHED = 50


def find_runs(runs: RunService) -> Finder:
    """The group over all runs."""

    def find(t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        if actor.highest_role < Role.VIEWER:
            return []
        tail = _tail(wanted.strip())
        if tail is not None:
            by_id = runs.list(RunFilter(id_tail=tail), actor=actor, limit=_SEARCHED).items
            if by_id:
                return [_found(t, run) for run in by_id]
        latest = runs.list(RunFilter(), actor=actor, limit=_SEARCHED).items
        return [each for each in (_found(t, run) for run in latest) if fits(f"{each.label} {each.note}", wanted)]

    return Finder(title="runs.palette", find=find)


def _found(t: Texts, run: Run) -> Found:
    note = Data(f"{t(f'status.{run.reason or run.status}')} · {short(run.id)}")
    return Found(label=Data(run.pipeline_name), note=note, path=f"/runs/{run.id}")


def _tail(text: str) -> str | None:
    try:
        return parse_tail(text)
    except InvalidInput:
        return None
