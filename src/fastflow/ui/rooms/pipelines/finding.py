"""What the palette offers of pipelines: to go to one, and to run one."""

import threading
import time
from collections.abc import Sequence
from urllib.parse import quote

from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.service import PipelineCatalog
from fastflow.kit.identity import Actor, Role
from fastflow.ui.manifest import Finder, Found, fits
from fastflow.ui.texts import Data, Texts

_BELIEVED_SECONDS = 0.5


def find_pipelines(catalog: PipelineCatalog) -> Sequence[Finder]:
    """The groups over the catalogue, which is looked at once for both."""
    seen = _Seen(catalog)

    def to_open(_t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        found = [each for each in _seen(seen, actor, Role.VIEWER) if fits(f"{each.name} {each.description}", wanted)]
        return [
            Found(label=Data(each.name), note=Data(each.description), path=_page(each)) for each in _best(found, wanted)
        ]

    def to_run(t: Texts, actor: Actor, wanted: str) -> Sequence[Found]:
        found = [each for each in _seen(seen, actor, Role.OPERATOR) if each.is_healthy and each.workbench is None]
        offered = [_run(t, each) for each in _best(found, wanted)]
        return [each for each in offered if wanted.strip() and fits(each.label, wanted)]

    return [
        Finder(title="pipelines.title", find=to_open),
        Finder(title="pipelines.palette_run", find=to_run),
    ]


class _Seen:
    """All pipelines, as they were a moment ago: every few letters are asked about twice."""

    def __init__(self, catalog: PipelineCatalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._until = 0.0
        self._kept: Sequence[Pipeline] = ()

    def list(self) -> Sequence[Pipeline]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._kept = self._catalog.list_all()
                self._until = time.monotonic() + _BELIEVED_SECONDS
            return self._kept


def _seen(seen: _Seen, actor: Actor, role: Role) -> Sequence[Pipeline]:
    return [each for each in seen.list() if actor.may_touch(each.name, role)]


def _best(found: Sequence[Pipeline], wanted: str) -> Sequence[Pipeline]:
    """Those whose names begin with what is wanted first."""
    words = tuple(wanted.lower().split())
    return sorted(found, key=lambda each: not (words and each.name.lower().startswith(words)))


def _run(t: Texts, pipeline: Pipeline) -> Found:
    """Started at once, unless it has to be asked for something: then its form is opened."""
    label, schema = t("pipelines.palette_run_named", name=pipeline.name), pipeline.params_schema
    if schema is not None and schema.get("required"):
        return Found(label=label, note=t("pipelines.palette_asks"), path=_page(pipeline))
    call = f"/pipelines/{quote(pipeline.name, safe='')}/run"
    return Found(label=label, note=Data(pipeline.description), path="/runs/{id}", call=call)


def _page(pipeline: Pipeline) -> str:
    return f"/pipelines/{quote(pipeline.name, safe='')}"
