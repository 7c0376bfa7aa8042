"""What a version does to pipelines that stand in relation to one another."""

from collections.abc import Mapping, Sequence

from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.sync.domain.plan import PipelineChange, find_blockers
from fastflow.kernel.sync.domain.together import look_together


def pipeline(name: str, after: Sequence[str] = ()) -> Pipeline:
    return Pipeline(name=name, kind="folder", script="main.py", after=list(after) or None)


def judge(pipelines: Sequence[Pipeline]) -> Mapping[str, Sequence[Fault]]:
    names = {one.name for one in pipelines}
    return {
        one.name: [Fault(pipeline=one.name, file=f"{one.name}/pipeline.toml", line=1, message="Lost.", hint="Mend it.")]
        for one in pipelines
        if set(one.after or ()) - names
    }


def followers(pipelines: Sequence[Pipeline]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for one in pipelines:
        for upstream in one.after or ():
            found.setdefault(upstream, []).append(one.name)
    return found


def test_together_when_an_upstream_goes_then_it_and_what_runs_after_it_block() -> None:
    before = [pipeline("extract"), pipeline("load", ["extract"])]
    together = look_together(before, before[1:], [judge], followers)
    gone = PipelineChange(name="extract", change="removed")
    changes = together.with_followers([gone])
    (blocker,) = find_blockers(changes)
    assert (blocker.kind, blocker.message) == ("removal", "The pipeline extract goes, and load runs after it.")
    assert blocker.hint.startswith("Take it out of the after of load, or force it:")
    assert [str(one) for one in together.blockers()] == ["load/pipeline.toml:1: Lost."]


def test_together_when_it_was_wrong_before_then_it_warns_and_blocks_nothing() -> None:
    lost = pipeline("load", ["extract"])
    together = look_together([lost], [lost, pipeline("more")], [judge], followers)
    changed = [PipelineChange(name="load", change="changed"), PipelineChange(name="more", change="added")]
    assert together.blockers() == []
    assert together.warnings(changed) == ["load/pipeline.toml:1: Lost. (it was not right before either)"]
    assert [len(one.faults) for one in together.with_faults(changed)] == [1, 0]


def test_together_when_nothing_is_wrong_then_nothing_is_told() -> None:
    fine = [pipeline("extract"), pipeline("load", ["extract"])]
    together = look_together([], fine, [judge], followers)
    assert (together.blockers(), together.with_followers([]), together.warnings([])) == ([], [], [])
