"""What a version does to pipelines that stand in relation to one another, also to those that it does not touch itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fastflow.kernel.pipelines.domain.faults import Fault
from fastflow.kernel.pipelines.domain.pipeline import Pipeline
from fastflow.kernel.sync.domain.plan import Blocker, PipelineChange, block_fault

GraphJudge = Callable[[Sequence[Pipeline]], Mapping[str, Sequence[Fault]]]
"""What is wrong with pipelines taken together, such as two that wait for one another, by pipeline."""
Followers = Callable[[Sequence[Pipeline]], Mapping[str, Sequence[str]]]
"""Pipeline -> those that run after it."""
LeftBehind = Callable[[Sequence[str]], Sequence[str]]
"""What people made for pipelines that go, and would be without effect: a sentence for each."""


@dataclass(frozen=True, kw_only=True)
class Together:
    """What all pipelines come to with the version.

    Attributes:
        faults: by pipeline, what is wrong with them together.
        new: of these, the pipelines with which nothing of the kind was wrong before.
        followers: pipeline -> those that would run after it; also of pipelines that go.
    """

    faults: Mapping[str, Sequence[Fault]] = field(default_factory=dict)
    new: frozenset[str] = frozenset()
    followers: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def with_followers(self, changes: Sequence[PipelineChange]) -> Sequence[PipelineChange]:
        """The changes, with what would run after the pipelines that go."""
        return [
            replace(one, followers_left=tuple(self.followers.get(one.name, ()))) if one.change == "removed" else one
            for one in changes
        ]

    def with_faults(self, changes: Sequence[PipelineChange]) -> Sequence[PipelineChange]:
        """The changes, with what is wrong with them together with others."""
        return [replace(one, faults=(*self.faults.get(one.name, ()), *one.faults)) for one in changes]

    def blockers(self) -> Sequence[Blocker]:
        """What is wrong and was not before."""
        return [block_fault(fault) for name in sorted(self.new) for fault in self.faults[name] if _is_error(fault)]

    def warnings(self, changed: Sequence[PipelineChange]) -> Sequence[str]:
        """What is wrong with pipelines that change, and with which something of the kind was wrong before."""
        return [
            f"{fault} (it was not right before either)"
            for one in changed
            if one.name not in self.new
            for fault in self.faults.get(one.name, ())
        ]


def _is_error(fault: Fault) -> bool:
    return fault.severity == "error"


def look_together(
    before: Sequence[Pipeline], after: Sequence[Pipeline], judges: Sequence[GraphJudge], followers: Followers
) -> Together:
    """What the pipelines come to together.

    Args:
        before: all there are.
        after: all there would be.
        judges: find what is wrong with pipelines together.
        followers: finds what runs after what.
    """
    faults = _judged(after, judges)
    if not faults:
        return Together()
    new = frozenset(faults.keys() - _judged(before, judges).keys())
    return Together(faults=faults, new=new, followers=followers(after))


def _judged(pipelines: Sequence[Pipeline], judges: Sequence[GraphJudge]) -> Mapping[str, Sequence[Fault]]:
    found: dict[str, list[Fault]] = {}
    for judge in judges:
        for name, faults in judge(pipelines).items():
            found.setdefault(name, []).extend(faults)
    return found
