"""Finding out what making a version active would do. Nothing that is active is touched; what is resolved or built on the way
is kept for when it becomes active."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fastflow.kernel.environments.domain.environment import EnvironmentRequest, locked_packages
from fastflow.kernel.environments.domain.errors import SetupFailed
from fastflow.kernel.environments.ports import GENTLY
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.pipelines.ports import CodeSource, Located, Sources
from fastflow.kernel.runs.domain.errors import InvalidParams
from fastflow.kernel.runs.domain.params import validate_params
from fastflow.kernel.schedules.domain.schedule import Definition
from fastflow.kernel.sync.domain.plan import (
    Blocker,
    Change,
    EnvironmentPlan,
    PipelineChange,
    Plan,
    ScheduleChange,
    compare_files,
    compare_packages,
    compare_pipeline,
    files_change,
    find_blockers,
)
from fastflow.kernel.sync.domain.together import Followers, GraphJudge, LeftBehind, Together, look_together
from fastflow.kernel.sync.ports import Code, Environments, Preview, Schedules, SyncStore
from fastflow.kernel.sync.service.telling import Teller
from fastflow.kit.errors import InvalidInput, NotFound, Unavailable

_AT_ONCE = 2
"""Environments that are resolved or built at a time: runs keep most of the machine."""
_MOST_RUNS = 50
_MAX_WHY = 2000
_MOST_TOGETHER = 50
"""Pipelines that are looked at together when it must be quick."""
_NOT_TOGETHER = "There are {} pipelines: whether what runs after what still fits was not looked at."
_NOT_READ = "{} pipelines differ: their files were compared, not their settings, requirements and faults."


@dataclass(frozen=True)
class Pair:
    """A pipeline before and after."""

    before: Pipeline | None
    after: Pipeline | None


@dataclass(frozen=True)
class Draft:
    """A plan, and what is needed to go on with it.

    Attributes:
        code: the catalogue as it would be.
        pairs: by name, the pipelines that change.
        requests: by name, what the environments are asked for; filled by `Planner.resolve`.
    """

    plan: Plan
    code: Code
    pairs: Mapping[str, Pair]
    requests: Mapping[str, EnvironmentRequest]


class Planner:
    """Makes plans.

    Args:
        code: the catalogue as it is.
        preview: the catalogue as it would be.
        sources: the active versions.
        environments: resolves and builds.
        schedules: of pipelines.
        store: knows the runs that wait or run.
        graph_judges: look at all pipelines together.
        followers: finds what runs after what.
        left_behind: tells what hangs on pipelines that go, beside schedules and followers.
        is_elsewhere: tells the pipelines whose runs start from an image: their environments are made in there.
        why_not: what speaks against building anything now; None: nothing.
        is_on_nodes: tells those whose environments the nodes of a cluster make, from a lock of ours.
    """

    def __init__(
        self,
        *,
        code: Code,
        preview: Preview,
        sources: Sources,
        environments: Environments,
        schedules: Schedules,
        store: SyncStore,
        graph_judges: Sequence[GraphJudge],
        followers: Followers,
        left_behind: LeftBehind = lambda _gone: (),
        is_elsewhere: Callable[[Pipeline], bool] = lambda _pipeline: False,
        why_not: Callable[[], str | None] = lambda: None,
        is_on_nodes: Callable[[Pipeline], bool] = lambda _pipeline: False,
    ) -> None:
        self._why_not = why_not
        self._code = code
        self._preview = preview
        self._sources = sources
        self._environments = environments
        self._schedules = schedules
        self._store = store
        self._graph_judges = graph_judges
        self._followers = followers
        self._left_behind = left_behind
        self._is_elsewhere = is_elsewhere
        self._is_on_nodes = is_on_nodes

    # -- the files ------------------------------------------------------------------------------------------------------

    def compare(self, repository: str, version: CodeSource | None, *, reads_at_most: int | None = None) -> Draft:
        """What the version's files change, without looking at environments.

        Args:
            repository: whose version it is.
            version: None: the repository's pipelines go.
            reads_at_most: when more pipelines differ, their files alone are compared, not what is in them: for versions that
                were active before, which must be quick. None: all are read.

        Raises:
            Unavailable: the files or the database cannot be read.
        """
        active = self._sources.active()
        before = next((source for source in active if source.repository == repository), None)
        others = [source for source in active if source.repository != repository]
        wanted = sorted([*others, *([version] if version else [])], key=lambda source: source.repository)
        code = self._preview(wanted)
        differing: list[_Differing] = []
        unchanged = 0
        was, is_ = _places_now(self._code), {one.name: one for one in code.places()}
        for name in sorted({*was, *is_}):
            old, new = was.get(name), is_.get(name)
            if not _concerns(repository, old, new):
                continue
            files = compare_files(_digests(self._code, old), _digests(code, new))
            if old and new and not files and (old.kind, old.twin) == (new.kind, new.twin):
                unchanged += 1
            else:
                differing.append(_Differing(name, old, new, files))
        is_read = reads_at_most is None or len(differing) <= reads_at_most
        pairs = {one.name: self._pair(code, one) for one in differing} if is_read else {}
        changes: Sequence[PipelineChange] = [one.told(pairs.get(one.name)) for one in differing]
        is_quick = reads_at_most is not None and len(is_) > _MOST_TOGETHER
        is_apart = not any(_stands_elsewhere(pair) for pair in pairs.values())
        together = Together() if is_apart or is_quick else self._together(pairs)
        changes = together.with_followers(self._with_use(changes))
        warnings = [*self._warnings(changes, pairs), *together.warnings(changes)]
        if is_quick and not is_apart:
            warnings.append(_NOT_TOGETHER.format(len(is_)))
        plan = Plan(
            commit_before=before.commit if before else None,
            commit=version.commit if version else None,
            pipelines=together.with_faults(changes),
            schedules=list(self._schedule_changes(changes, pairs)),
            blockers=[*find_blockers(changes), *together.blockers()],
            warnings=warnings if is_read else [_NOT_READ.format(len(differing))],
            unchanged=unchanged,
        )
        return Draft(plan, code, pairs, {})

    def _with_use(self, changes: Sequence[PipelineChange]) -> list[PipelineChange]:
        """With what uses the pipelines that go."""
        gone = [one.name for one in changes if one.change == "removed"]
        if not gone:
            return list(changes)
        runs = self._store.load_active_runs(gone, limit=_MOST_RUNS)
        left: dict[str, list[str]] = {}
        for schedule in self._schedules.present(gone):
            if schedule.origin == "user":
                left.setdefault(schedule.pipeline_name, []).append(schedule.name)
        return [
            replace(one, active_runs=runs.get(one.name, ()), schedules_left=left.get(one.name, ()))
            if one.change == "removed"
            else one
            for one in changes
        ]

    def _together(self, pairs: Mapping[str, Pair]) -> Together:
        """What all pipelines come to together when these change."""
        try:
            before = self._code.list()
        except Unavailable:  # what is active is lost, or PIPELINES_DIR was never made
            before = []
        after = [one for one in before if one.name not in pairs]
        after += [pair.after for pair in pairs.values() if pair.after is not None]
        return look_together(before, after, self._graph_judges, self._followers)

    def _pair(self, code: Code, one: "_Differing") -> Pair:
        return Pair(_found(self._code, one.old), _found(code, one.new))

    def _schedule_changes(
        self, changes: Sequence[PipelineChange], pairs: Mapping[str, Pair]
    ) -> Iterator[ScheduleChange]:
        gone = [one.name for one in changes if one.change == "removed"]
        for schedule in self._schedules.present(gone):
            if schedule.origin == "code":
                yield ScheduleChange(
                    change="removed",
                    pipeline=schedule.pipeline_name,
                    name=schedule.name,
                    before=_timing(schedule.definition),
                    after=None,
                )
        for change in self._schedules.plan([pair.after for pair in pairs.values() if pair.after is not None]):
            one = change.after or (change.before.definition if change.before else None)
            assert one is not None
            yield ScheduleChange(
                change=change.kind,
                pipeline=one.pipeline_name,
                name=one.name or "",
                before=_timing(change.before.definition) if change.before else None,
                after=_timing(change.after) if change.after else None,
            )

    def _warnings(self, changes: Sequence[PipelineChange], pairs: Mapping[str, Pair]) -> Iterator[str]:
        yield from self._left_behind([one.name for one in changes if one.change == "removed"])
        for one in changes:
            for fault in one.faults:
                if fault.severity == "warning":
                    yield f"{fault}"
                elif one.was_broken:
                    yield f"{fault} (it could not run before either)"
        healthy = {name: pair.after for name, pair in pairs.items() if pair.after and pair.after.is_healthy}
        for schedule in self._schedules.present(list(healthy)):
            if schedule.origin == "user":
                try:
                    validate_params(schedule.params, healthy[schedule.pipeline_name].params_schema)
                except InvalidParams as error:
                    yield f"The schedule {schedule.label} could start nothing any more: {error.message}"

    # -- the environments -----------------------------------------------------------------------------------------------

    async def resolve(self, draft: Draft, teller: Teller) -> Draft:
        """The plan with what the dependencies of added and changed pipelines lead to; what cannot be resolved blocks,
        unless the active version asks for the very same."""
        wanted = {name: pair for name, pair in draft.pairs.items() if pair.after and pair.after.is_healthy}
        slots = asyncio.Semaphore(_AT_ONCE)
        found = await asyncio.gather(*(self._resolve(draft.code, name, wanted[name], slots, teller) for name in wanted))
        environments = {name: told for name, (told, _, _) in zip(wanted, found, strict=True)}
        requests = {name: asked for name, (_, asked, _) in zip(wanted, found, strict=True) if asked is not None}
        blockers, warnings = list(draft.plan.blockers), list(draft.plan.warnings)
        for name, (told, _, is_new) in zip(wanted, found, strict=True):
            if told.state == "failed":
                blocker = _lock_blocker(wanted[name].after, told.why or "", "lock")
                if is_new:
                    blockers.append(blocker)
                else:
                    warnings.append(f"{blocker} (the active version asks for the same)")
        changes = [replace(one, environment=environments.get(one.name)) for one in draft.plan.pipelines]
        plan = replace(draft.plan, pipelines=changes, blockers=blockers, warnings=warnings)
        return replace(draft, plan=plan, requests=requests)

    async def _resolve(
        self, code: Code, name: str, pair: Pair, slots: asyncio.Semaphore, teller: Teller
    ) -> tuple[EnvironmentPlan, EnvironmentRequest | None, bool]:
        """What the pipeline's dependencies lead to, what is asked for, and whether that is new."""
        assert pair.after is not None
        if self._is_elsewhere(pair.after):
            return EnvironmentPlan(state="elsewhere"), None, False
        async with slots:
            GENTLY.set(True)  # in the context of this task alone
            request = await asyncio.to_thread(_request, code, pair.after)
            before = await asyncio.to_thread(self._before, pair.before)
            is_new = before is None or before.input_hash != request.input_hash
            earlier = None if before is None else await asyncio.to_thread(self._environments.resolved_hash, before)
            try:
                card = await self._environments.lock(request, lambda line: teller.line(name, line))
            except SetupFailed as error:
                teller.pipeline(name, "failed", why=error.message)
                return EnvironmentPlan(state="failed", before=earlier, why=error.message[:_MAX_WHY]), request, is_new
            known = None if earlier is None else await asyncio.to_thread(self._environments.lock_text, earlier)
            told = EnvironmentPlan(
                state="elsewhere" if self._is_on_nodes(pair.after) else "locked",
                hash=card.hash,
                before=earlier,
                packages=compare_packages(locked_packages(known or ""), locked_packages(card.lock)),
            )
        return told, request, is_new

    def _before(self, pipeline: Pipeline | None) -> EnvironmentRequest | None:
        if pipeline is None or not pipeline.is_healthy:
            return None
        with contextlib.suppress(NotFound, InvalidInput, Unavailable):  # it went this moment
            return self._code.environment(pipeline)
        return None

    async def preheat(self, draft: Draft, teller: Teller) -> Draft:
        """Build what was resolved; what cannot be built blocks. On a disk that is nearly full nothing is built ahead."""
        held = await asyncio.to_thread(self._why_not)
        if held is not None:
            teller.note(f"No environment is built ahead: {held}.")
            return draft
        slots = asyncio.Semaphore(_AT_ONCE)
        ahead = {one.name: one.environment for one in draft.plan.pipelines if one.name in draft.requests}
        names = [name for name, told in ahead.items() if told is not None and told.state == "locked"]
        elsewhere = sum(
            one.environment is not None and one.environment.state == "elsewhere" for one in draft.plan.pipelines
        )
        left = f" Those of {elsewhere} are made where they run, by their first runs." if elsewhere else ""
        ready = f"The environments of {len(names)} of its pipelines are made ready.{left}"
        teller.step("preheat", ready, total=len(names))
        built = await asyncio.gather(*(self._build(name, draft.requests[name], slots, teller) for name in names))
        changes, blockers = list(draft.plan.pipelines), list(draft.plan.blockers)
        for name, why in zip(names, built, strict=True):
            place = next(number for number, one in enumerate(changes) if one.name == name)
            told = ahead[name]
            assert told is not None
            state = EnvironmentPlan(**{**vars(told), "state": "failed" if why else "ready", "why": why})
            changes[place] = replace(changes[place], environment=state)
            if why:
                blockers.append(_lock_blocker(draft.pairs[name].after, why, "environment"))
        return replace(draft, plan=replace(draft.plan, pipelines=changes, blockers=blockers))

    async def _build(
        self, name: str, request: EnvironmentRequest, slots: asyncio.Semaphore, teller: Teller
    ) -> str | None:
        """Why it could not be built; None: it is ready."""
        async with slots:
            GENTLY.set(True)  # in the context of this task alone
            teller.pipeline(name, "building")
            try:
                environment = await self._environments.ensure(request, lambda line: teller.line(name, line))
            except SetupFailed as error:
                teller.pipeline(name, "failed", why=error.message)
                return error.message[:_MAX_WHY]
            teller.pipeline(name, "ready", built=environment.built, seconds=round(environment.build_seconds, 3))
            return None


@dataclass(frozen=True)
class _Differing:
    """A pipeline whose place or files differ."""

    name: str
    old: Located | None
    new: Located | None
    files: Mapping[str, Change]

    def told(self, pair: Pair | None) -> PipelineChange:
        """The change; without having read it, as its files tell."""
        if pair is not None:
            return compare_pipeline(self.name, pair.before, pair.after, self.files)
        change: Change = "added" if self.old is None else "removed" if self.new is None else "changed"
        return files_change(self.name, change, self.files)


def _places_now(code: Code) -> Mapping[str, Located]:
    """Where the pipelines are now; nowhere, when what is active is lost or PIPELINES_DIR was never made."""
    try:
        return {located.name: located for located in code.places()}
    except Unavailable:
        return {}


def _concerns(repository: str, old: Located | None, new: Located | None) -> bool:
    if old is None or new is None or old.twin != new.twin:
        return True
    return repository in (old.repository, new.repository)


def _stands_elsewhere(pair: Pair) -> bool:
    """Whether what the pipelines come to together may differ."""
    before, after = pair.before, pair.after
    return before is None or after is None or _relations(before) != _relations(after)


def _relations(pipeline: Pipeline) -> tuple[object, ...]:
    return (pipeline.after, pipeline.after and pipeline.params_schema)


def _digests(code: Code, located: Located | None) -> Mapping[str, str]:
    return {} if located is None else code.digests(located)


def _found(code: Code, located: Located | None) -> Pipeline | None:
    if located is None:
        return None
    try:
        return code.look(located.name)
    except NotFound:  # of PIPELINES_DIR, and removed this moment
        return None


def _request(code: Code, pipeline: Pipeline) -> EnvironmentRequest:
    if pipeline.environment_needs_code:
        return code.freeze(pipeline.name).environment
    return code.environment(pipeline)


def _timing(definition: Definition) -> str:
    words = f"{definition.trigger} {definition.expression}"
    return words if definition.trigger == "interval" else f"{words} {definition.timezone}"


def _lock_blocker(pipeline: Pipeline | None, why: str, kind: str) -> Blocker:
    """With the line that asks for what uv complains of, as far as it can be told."""
    assert pipeline is not None
    file, line = _place_of(pipeline, why)
    return Blocker(
        kind="lock" if kind == "lock" else "environment",
        pipeline=pipeline.name,
        message=f"The dependencies of {pipeline.name} cannot be {'resolved' if kind == 'lock' else 'installed'}: {why}",
        hint="Correct the requirement that uv names, and push again.",
        file=file,
        line=line,
    )


def _place_of(pipeline: Pipeline, why: str) -> tuple[str | None, int | None]:
    said = why.lower().replace("_", "-")
    for path, text in pipeline.environment_files.items():
        if path.endswith(".lock"):
            continue
        shown = f"{pipeline.name}/{path}" if pipeline.kind == "folder" else path
        if path.endswith(".py"):  # the text is the header alone, which may stand anywhere in the file
            return shown, None
        for number, line in enumerate(text.splitlines(), start=1):
            name = _requirement_in(line)
            if name and name in said:
                return shown, number
        return shown, None
    return None, None


def _requirement_in(line: str) -> str | None:
    """The name of the package that a line asks for."""
    text = line.strip().strip('",').strip()
    name = ""
    for char in text:
        if not (char.isalnum() or char in "-_."):
            break
        name += char
    return name.lower().replace("_", "-") if len(name) > 1 and name not in ("dependencies", "name", "version") else None
