"""What a flow is made of before it begins: the steps below its roots, in order, or why there can be none."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fastflow.kernel.flows.domain.after import After
from fastflow.kernel.flows.domain.errors import FlowCycle
from fastflow.kernel.flows.domain.graph import Afters, descendants, describe_cycle, find_cycles, ordered


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """A step that a flow would have.

    Attributes:
        after: None of a root.
    """

    name: str
    position: int
    after: After | None

    @property
    def is_root(self) -> bool:
        """Whether it begins the flow."""
        return self.after is None


@dataclass(frozen=True, kw_only=True)
class FlowPlan:
    """What a flow would be made of.

    Attributes:
        steps: upstreams first.
        warnings: pipelines that may belong to it and are not in it, a sentence for each.
    """

    steps: Sequence[PlannedStep]
    warnings: Sequence[str] = ()


def plan_steps(roots: Sequence[str], afters: Afters) -> Sequence[PlannedStep]:
    """The steps of a flow that begins with `roots`, upstreams first.

    Raises:
        FlowCycle: some of them run after one another in a circle; names it.
    """
    names = descendants(roots, afters)
    within = {name: _within(after, names) for name, after in afters.items() if name in names and name not in roots}
    cycles = find_cycles(within)
    if cycles:
        told = describe_cycle(cycles[0])
        raise FlowCycle(f"The flow would go in a circle: {told}.", fields={"after": told})
    return [
        PlannedStep(name=name, position=place, after=None if name in roots else afters[name])
        for place, name in enumerate(ordered(names, afters, roots))
    ]


def _within(after: After, names: Collection[str]) -> After:
    inside = tuple(name for name in after.pipelines if name in names)
    return After(pipelines=inside)
