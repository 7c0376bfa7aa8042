"""Which runs may start: pure functions over the queue and what is running. The store asks them inside the claiming
transaction, so every limit is computed from the rows themselves, never from a counter that could drift.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fastflow.kernel.runs.domain.params import encode_value
from fastflow.kit.errors import InvalidInput

Scope = Literal["global", "pipeline", "key"]

_HOLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MAX_KEY = 300


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A run as far as limits are concerned.

    Attributes:
        id: the run.
        concurrency_key: None when its pipeline has no key.
        pipeline_limit, key_limit: None means no limit.
        is_running: holds a slot now; False: it waits for one.
        schedule_id: the schedule that submitted it.
    """

    id: str
    pipeline_name: str
    concurrency_key: str | None = None
    pipeline_limit: int | None = None
    key_limit: int | None = None
    is_running: bool = False
    schedule_id: str | None = None


@dataclass
class Load:
    """How many runs hold a slot: in all, by pipeline, by pipeline and key."""

    total: int = 0
    by_pipeline: Counter[str] = field(default_factory=Counter)
    by_key: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, pipeline_name: str, key: str | None, count: int = 1) -> None:
        """Count runs that hold a slot."""
        self.total += count
        self.by_pipeline[pipeline_name] += count
        if key is not None:
            self.by_key[pipeline_name, key] += count


def blocked_by(candidate: Candidate, load: Load, max_concurrent: int) -> Scope | None:
    """The narrowest limit that keeps the run from starting; None: it may start."""
    key = (candidate.pipeline_name, candidate.concurrency_key or "")
    if (
        candidate.concurrency_key is not None
        and candidate.key_limit is not None
        and load.by_key[key] >= candidate.key_limit
    ):
        return "key"
    limit = candidate.pipeline_limit
    if limit is not None and load.by_pipeline[candidate.pipeline_name] >= limit:
        return "pipeline"
    return "global" if load.total >= max_concurrent else None


def choose(queue: Iterable[Candidate], load: Load, max_concurrent: int) -> list[Candidate]:
    """The runs to start, in the order of the queue: each one that no limit keeps back. A blocked run never holds up
    those behind it. `load` is raised by what is chosen.
    """
    chosen: list[Candidate] = []
    for candidate in queue:
        if load.total >= max_concurrent:
            break
        if blocked_by(candidate, load, max_concurrent) is None:
            load.add(candidate.pipeline_name, candidate.concurrency_key)
            chosen.append(candidate)
    return chosen


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """The active runs that a new run would exceed a limit with.

    Attributes:
        scope: which limit.
        limit: how many it allows.
        holders: active runs under that limit, oldest first.
    """

    scope: Literal["pipeline", "key"]
    limit: int
    holders: Sequence[Candidate]

    @property
    def surplus(self) -> Sequence[Candidate]:
        """The oldest holders, as many as have to go so that one more fits."""
        return self.holders[: max(0, len(self.holders) + 1 - self.limit)]


def crowds(newcomer: Candidate, active: Sequence[Candidate]) -> list[Crowd]:
    """The limits of its pipeline and key that the newcomer would exceed.

    Args:
        newcomer: not among `active`.
        active: the pipeline's runs that are waiting or running and whose end nobody has asked for, oldest first.
    """
    found: list[Crowd] = []
    if newcomer.concurrency_key is not None and newcomer.key_limit is not None:
        same_key = [run for run in active if run.concurrency_key == newcomer.concurrency_key]
        if len(same_key) >= newcomer.key_limit:
            found.append(Crowd(scope="key", limit=newcomer.key_limit, holders=same_key))
    if newcomer.pipeline_limit is not None and len(active) >= newcomer.pipeline_limit:
        found.append(Crowd(scope="pipeline", limit=newcomer.pipeline_limit, holders=active))
    return found


def describe_crowd(newcomer: Candidate, crowd: Crowd) -> str:
    """The limit and its holder in words, such as `key=acme 1/1 held by run …`."""
    what = f"key={newcomer.concurrency_key}" if crowd.scope == "key" else f"pipeline {newcomer.pipeline_name}"
    others = f" and {len(crowd.holders) - 1} more" if len(crowd.holders) > 1 else ""
    return f"{what} {len(crowd.holders)}/{crowd.limit} held by run {crowd.holders[0].id}{others}"


def fill_key(template: str | None, params: Mapping[str, Any]) -> str | None:
    """The concurrency key: `{NAME}` in the template replaced by the parameter; a very long key is shortened by a digest.

    Raises:
        InvalidInput: the template names a parameter that the run has not got.

    >>> fill_key("{CITY}-{YEAR}", {"CITY": "Ulm", "YEAR": 2024})
    'Ulm-2024'
    """
    if template is None:
        return None
    missing = [name for name in _HOLE.findall(template) if name not in params]
    if missing:
        raise InvalidInput(
            f"The concurrency key {template!r} needs the parameter {missing[0]}, which is missing.",
            code="invalid_params",
            hint="Give the parameter, or give it a default in the pipeline's schema.",
            fields={f"params.{missing[0]}": "missing, and the pipeline's concurrency key needs it"},
        )
    key = _HOLE.sub(lambda hole: encode_value(params[hole[1]]), template)
    if len(key) > _MAX_KEY:
        key = f"{key[: _MAX_KEY - 65]}…{hashlib.sha256(key.encode()).hexdigest()}"
    return key
